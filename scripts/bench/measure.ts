/** What the benchmarks read of processes, and how they sum up. */

/** Memory of a process, kilobytes. */
export interface Memory {
  rssKb: number;
  anonymousKb: number;
}

/** Reads `/proc/<pid>/smaps_rollup`. */
export async function memoryOf(pid: number): Promise<Memory> {
  const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
  const row = (name: string) => Number(text.match(new RegExp(`^${name}: +(\\d+) kB`, "m"))?.[1]);
  return { rssKb: row("Rss"), anonymousKb: row("Anonymous") };
}

/** Processor seconds a process has used, its ended children included. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // utime, stime, cutime and cstime are fields 14 to 17; the kernel counts 100 ticks a second.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** Processor seconds all of the machine has used, and how many processors it has. */
export async function machineCpuSeconds(): Promise<{ busy: number; processors: number }> {
  const lines = (await Deno.readTextFile("/proc/stat")).split("\n");
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = lines[0]!.trim().split(/ +/).slice(1)
    .map(Number);
  const processors = lines.filter((line) => /^cpu\d/.test(line)).length;
  return { busy: (user + nice + system + irq + softirq) / 100, processors };
}

/** The middle of a list of numbers. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** "median (min–max)" with a unit. */
export function summary(values: readonly number[], unit: string, digits = 1): string {
  const show = (value: number) => value.toFixed(digits);
  return `${show(median(values))} ${unit} (${show(Math.min(...values))}–${show(Math.max(...values))})`;
}
