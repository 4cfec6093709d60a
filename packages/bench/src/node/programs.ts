// The contenders that are programs of the system.
import { findProgram } from '@bt/testkit';

export function missingProgram(name: string, debianPackage: string): string | undefined {
  if (findProgram(name) !== undefined) return undefined;
  return `${name} is not installed: apt-get install ${debianPackage}`;
}
