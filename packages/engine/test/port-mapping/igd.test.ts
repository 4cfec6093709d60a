import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addMappingCall,
  checkAnswer,
  deleteMappingCall,
  externalAddressCall,
  findService,
  readExternalAddress,
} from '../../src/port-mapping/igd.ts';
import { GatewayRefusal } from '../../src/port-mapping/mapping.ts';

const TYPE = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const serviceXml = (type: string, controlUrl: string) =>
  `<service><serviceType>${type}</serviceType><serviceId>x</serviceId>` +
  `<controlURL> ${controlUrl}\n</controlURL><SCPDURL>/s.xml</SCPDURL></service>`;
const service = { type: TYPE, controlUrl: '/ctl' };

describe('the description of a gateway', () => {
  it('tells the service that maps ports, the best of several', () => {
    const old = serviceXml('urn:schemas-upnp-org:service:WANPPPConnection:1', '/ppp');
    const other = serviceXml('urn:schemas-upnp-org:service:Layer3Forwarding:1', '/l3');
    const ip = serviceXml(TYPE, '/ctl/IPConn?a=1&amp;b=2');
    expect(findService(`<root>${other}${old}${ip}</root>`)).toEqual({
      type: TYPE,
      controlUrl: '/ctl/IPConn?a=1&b=2',
    });
    expect(findService(`<root>${other}${old}</root>`)?.controlUrl).toBe('/ppp');
    const second = serviceXml('urn:schemas-upnp-org:service:WANIPConnection:2', '/two');
    expect(findService(ip + second)?.controlUrl).toBe('/two');
  });

  it('has none without a type that is known, or without a URL', () => {
    expect(findService(serviceXml('urn:evil', '/ctl'))).toBeUndefined();
    expect(findService(`<service><serviceType>${TYPE}</serviceType></service>`)).toBeUndefined();
    expect(findService(`<service><serviceType>${TYPE}`)).toBeUndefined();
    expect(findService('')).toBeUndefined();
  });

  it('is looked through in one pass, whatever stands in it', () => {
    for (const text of ['<service>', '<service><serviceType>', '</service>', '<']) {
      expect(findService(text.repeat(131_072 / text.length))).toBeUndefined();
    }
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('<service>', '</service>', '<controlURL>', '</', 'x', '>')),
        (parts) => {
          findService(parts.join(''));
        },
      ),
    );
  });
});

describe('calls', () => {
  it('WANIPConnection:1, 2.4.16: add a mapping', () => {
    const request = { protocol: 'tcp', port: 1, externalPort: 2, lifetimeSeconds: 3600 } as const;
    const { action, body } = addMappingCall(service, request, '192.168.1.2', 'BitTorrent');
    expect(action).toBe(`"${TYPE}#AddPortMapping"`);
    expect(body).toContain(
      `<u:AddPortMapping xmlns:u="${TYPE}"><NewRemoteHost></NewRemoteHost>` +
        '<NewExternalPort>2</NewExternalPort><NewProtocol>TCP</NewProtocol>' +
        '<NewInternalPort>1</NewInternalPort><NewInternalClient>192.168.1.2</NewInternalClient>' +
        '<NewEnabled>1</NewEnabled>' +
        '<NewPortMappingDescription>BitTorrent</NewPortMappingDescription>' +
        '<NewLeaseDuration>3600</NewLeaseDuration></u:AddPortMapping>',
    );
  });

  it('WANIPConnection:1, 2.4.17 and 2.4.18: remove one, and ask for the address', () => {
    expect(deleteMappingCall(service, 'udp', 7).body).toContain(
      '<NewExternalPort>7</NewExternalPort><NewProtocol>UDP</NewProtocol>',
    );
    expect(externalAddressCall(service).action).toBe(`"${TYPE}#GetExternalIPAddress"`);
  });
});

describe('answers', () => {
  it('tell why a call was refused', () => {
    checkAnswer(200, 'anything');
    const fault = '<s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail>';
    expect(() => checkAnswer(500, fault)).toThrow(new GatewayRefusal('UPnP error 718', 718));
    expect(() => checkAnswer(500, '<errorCode>x</errorCode>')).toThrow('HTTP status 500');
    expect(() => checkAnswer(404, fault)).toThrow('HTTP status 404');
  });

  it('tell the external address, if it is one', () => {
    const body = (text: string) => `<NewExternalIPAddress>${text}</NewExternalIPAddress>`;
    expect(readExternalAddress(body('203.0.113.5'))).toBe('203.0.113.5');
    for (const text of ['', 'x', '1.2.3', '<b>1.2.3.4</b>', '1.2.3.4:80']) {
      expect(readExternalAddress(body(text)), text).toBeUndefined();
    }
    expect(readExternalAddress('')).toBeUndefined();
  });
});
