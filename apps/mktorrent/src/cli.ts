#!/usr/bin/env node
// The command line of mktorrent: arguments in, exit code out.
export {};
