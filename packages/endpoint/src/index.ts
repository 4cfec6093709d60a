/**
 * IP addresses and ports: parse, print, compact encodings, and which addresses are public.
 *
 * @module
 */
export {
  type AddressFamily,
  addressFamily,
  parseAddress,
  parseAddressInto,
  printAddress,
  printAddressAt,
} from './address.ts';
export {
  type AddressClass,
  addressClass,
  addressClassAt,
  isLoopback,
  isMartian,
  isMartianAt,
  isPublic,
  type MartianOptions,
} from './address-class.ts';
export {
  compactLength,
  decodeCompact,
  encodeCompact,
  readCompact,
  readCompactPort,
  writeCompact,
} from './compact.ts';
export {
  compareEndpoints,
  type Endpoint,
  endpointKey,
  type HostPort,
  isPort,
  makeEndpoint,
  parseEndpoint,
  parseHostPort,
  printEndpoint,
} from './endpoint.ts';
export { EndpointError, type EndpointErrorCode } from './errors.ts';
export { networkOf } from './network.ts';
