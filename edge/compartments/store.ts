/** The compartment of metamanager: it reads and writes the directory of its database, nothing else. */
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";
import { metaManager, type MetaManagerOptions } from "../metamanager/mod.ts";

runCompartment<MetaManagerOptions>(({ init, log, metrics, connect }) => {
  const inbox = new Mailbox<Message>("metamanager", 1024);
  const edgeHub = connect("edgehub", inbox, MESSAGE_TEXT);
  const edged = connect("edged", inbox, MESSAGE_TEXT);
  return [
    metaManager({ inbox, edgeHub, edged, clock: systemClock, log: log.child("metamanager"), metrics }, init),
  ];
});
