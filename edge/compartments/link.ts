/** The compartment of edgehub: it reaches the cloud's addresses and the files of its certificate. */
import { type Message, MESSAGE_TEXT } from "../../common/model/mod.ts";
import { Mailbox, runCompartment, systemClock } from "../../common/module/mod.ts";
import { edgeHub, type EdgeHubOptions } from "../edgehub/mod.ts";

runCompartment<EdgeHubOptions>(({ init, log, metrics, connect }) => {
  const inbox = new Mailbox<Message>("edgehub", 1024);
  const metaManager = connect("metamanager", inbox, MESSAGE_TEXT);
  return [edgeHub({ inbox, metaManager, clock: systemClock, log: log.child("edgehub"), metrics }, init)];
});
