/** A network interface, as `Deno.networkInterfaces` lists them. */
export type InterfaceFacts = Pick<Deno.NetworkInterfaceInfo, "name" | "family" | "address">;

/** Interfaces that container engines and tunnels make: their addresses are not the machine's. */
const VIRTUAL = /^(lo|docker|br-|veth|cni|flannel|cali|virbr|kube-|nerdctl|podman|tun|tap|edgemesh)/;

/**
 * The address others reach this machine at: the first of `customInterface` when that is given, else the first IPv4 address of
 * an interface that is not virtual, else 127.0.0.1.
 * @throws {RangeError} when there is no such interface, or it has no address
 */
export function pickLocalIP(interfaces: readonly InterfaceFacts[], customInterface?: string): string {
  if (customInterface !== undefined) {
    const own = interfaces.filter((i) => i.name === customInterface);
    const found = own.find((i) => i.family === "IPv4") ?? own[0];
    if (found !== undefined) return found.address;
    const names = [...new Set(interfaces.map((i) => i.name))].join(", ");
    throw new RangeError(
      `Cannot use the network interface ${JSON.stringify(customInterface)}: this machine has ${names}`,
    );
  }
  const real = interfaces.filter((i) => !VIRTUAL.test(i.name) && !i.address.startsWith("169.254."));
  return real.find((i) => i.family === "IPv4")?.address ?? "127.0.0.1";
}
