#!/usr/bin/env node
// The command line of pieces: arguments in, exit code out.
export {};
