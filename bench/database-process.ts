import { readFile } from "node:fs/promises";
import path from "node:path";

const tickMs = 10;

/** The processes of an embedded cluster, as Linux sees them; elsewhere none. */
export type DatabaseProcesses = {
  /** Time of a processor that they have taken, with those that have ended. */
  cpuMs(): Promise<number>;
  /** Memory of their own, without what they share. */
  ownMb(): Promise<number>;
};

export function processesOf(clusterDirectory: string): DatabaseProcesses {
  const read = (file: string): Promise<string> => readFile(file, "utf8").catch(() => "");
  const pids = async (): Promise<string[]> => {
    const [postmaster = ""] = (await read(path.join(clusterDirectory, "data/postmaster.pid"))).split("\n");
    const children = await read(`/proc/${postmaster}/task/${postmaster}/children`);
    return [postmaster, ...children.trim().split(" ")].filter((pid) => pid !== "");
  };
  const sumOf = async (file: string, amountIn: (text: string) => number): Promise<number> => {
    const texts = await Promise.all((await pids()).map((pid) => read(`/proc/${pid}/${file}`)));
    return texts.reduce((sum, text) => sum + amountIn(text), 0);
  };
  return {
    cpuMs: () =>
      sumOf("stat", (text) => {
        // proc_pid_stat(5): the 14th to 17th fields are utime, stime, and both of children that ended; the 2nd may hold spaces.
        const times = text
          .slice(text.lastIndexOf(")") + 2)
          .split(" ")
          .slice(11, 15);
        return times.reduce((sum, ticks) => sum + Number(ticks), 0) * tickMs;
      }),
    ownMb: () => sumOf("status", (text) => Number(/RssAnon:\s+(\d+)/.exec(text)?.[1] ?? 0) / 1024),
  };
}
