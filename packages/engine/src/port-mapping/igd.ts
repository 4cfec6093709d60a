// The internet gateway device of UPnP, as little of it as port mapping needs: where its description says that the service
// is, the calls (SOAP 1.1), and their answers (WANIPConnection:1, sections 2.4.16 to 2.4.18). What gateways send is XML, of
// which only the text of a few elements is looked at, in one pass and without building anything.

import { makeEndpoint } from '@bt/endpoint';
import { GatewayRefusal, type MappedProtocol, type MappingRequest } from './mapping.ts';

/** Services that map ports, the better first. */
const SERVICES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
];

/** Only mappings without an end are to be had (WANIPConnection:1, section 2.4.16.3). */
export const ONLY_PERMANENT_LEASES = 725;
/** The external port is another host's. */
export const CONFLICT = 718;

export interface IgdService {
  readonly type: string;
  /** As the description has it: absolute, or to be resolved against the description's URL. */
  readonly controlUrl: string;
}

/** The service of a description that maps ports; undefined where it has none. */
export function findService(description: string): IgdService | undefined {
  const found: IgdService[] = [];
  let at = 0;
  for (;;) {
    const start = description.indexOf('<service>', at);
    const end = start < 0 ? -1 : description.indexOf('</service>', start);
    if (end < 0) break;
    const service = description.slice(start, end);
    const type = elementText(service, 'serviceType');
    const controlUrl = elementText(service, 'controlURL');
    if (type !== undefined && controlUrl !== undefined) found.push({ type, controlUrl });
    at = end;
  }
  for (const type of SERVICES) {
    const service = found.find((other) => other.type === type);
    if (service !== undefined) return service;
  }
  return undefined;
}

export interface SoapCall {
  readonly action: string;
  readonly body: string;
}

export function addMappingCall(
  service: IgdService,
  request: MappingRequest,
  clientAddress: string,
  description: string,
): SoapCall {
  return soapCall(service, 'AddPortMapping', [
    ['NewRemoteHost', ''],
    ['NewExternalPort', request.externalPort],
    ['NewProtocol', request.protocol.toUpperCase()],
    ['NewInternalPort', request.port],
    ['NewInternalClient', clientAddress],
    ['NewEnabled', 1],
    ['NewPortMappingDescription', description],
    ['NewLeaseDuration', request.lifetimeSeconds],
  ]);
}

export function deleteMappingCall(
  service: IgdService,
  protocol: MappedProtocol,
  externalPort: number,
): SoapCall {
  return soapCall(service, 'DeletePortMapping', [
    ['NewRemoteHost', ''],
    ['NewExternalPort', externalPort],
    ['NewProtocol', protocol.toUpperCase()],
  ]);
}

export function externalAddressCall(service: IgdService): SoapCall {
  return soapCall(service, 'GetExternalIPAddress', []);
}

/** An answer to any call. @throws {GatewayRefusal} with UPnP's error code where it has one */
export function checkAnswer(status: number, body: string): void {
  if (status === 200) return;
  const code = Number(elementText(body, 'errorCode'));
  if (status === 500 && Number.isInteger(code))
    throw new GatewayRefusal(`UPnP error ${code}`, code);
  throw new GatewayRefusal(`HTTP status ${status}`);
}

/** The address of an answer to `externalAddressCall`; undefined for anything that is none. */
export function readExternalAddress(body: string): string | undefined {
  return makeEndpoint(elementText(body, 'NewExternalIPAddress') ?? '', 0)?.address;
}

/** The text of the first element of this name that has no attributes. */
function elementText(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  if (start < 0) return undefined;
  const end = xml.indexOf('</', start);
  if (end < 0) return undefined;
  return xml
    .slice(start + name.length + 2, end)
    .trim()
    .replaceAll('&amp;', '&');
}

function soapCall(
  { type }: IgdService,
  action: string,
  fields: readonly (readonly [string, string | number])[],
): SoapCall {
  const content = fields.map(([name, value]) => `<${name}>${value}</${name}>`).join('');
  return {
    action: `"${type}#${action}"`,
    body:
      '<?xml version="1.0"?>\r\n' +
      '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${type}">${content}</u:${action}>` +
      '</s:Body></s:Envelope>\r\n',
  };
}
