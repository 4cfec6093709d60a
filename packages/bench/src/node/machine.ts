// One line about the machine, for every report.
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export function machineLine(): string {
  return [
    `${availableParallelism()} x ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    `load ${loadavg()[0]!.toFixed(1)} when it began`,
  ].join(', ');
}
