// `p2p-client doctor`: what the NAT does, and what that means, in one paragraph.
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { DoctorOptions } from './options.ts';
import type { Output } from './view/view.ts';

export async function doctor(
  _options: DoctorOptions,
  output: Output,
  _interrupted: AbortSignal,
): Promise<ExitCode> {
  output.error('p2p-client: not yet\n');
  return EXIT.internal;
}
