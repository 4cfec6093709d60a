/**
 * IP addresses and ports: parse, print, compact encodings, and which addresses are public.
 *
 * @module
 */
export {};
