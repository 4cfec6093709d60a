import { X509Certificate } from 'node:crypto';
import { expect, it } from 'vitest';
import { makeCertificate } from '../../../src/node/channel/certificate.ts';

it('is self-signed, good now, and known by its fingerprint', () => {
  const { certificate, key, fingerprint } = makeCertificate();
  const parsed = new X509Certificate(certificate);
  expect(parsed.verify(parsed.publicKey)).toBe(true);
  expect(parsed.fingerprint256.replaceAll(':', '').toLowerCase()).toBe(
    Buffer.from(fingerprint).toString('hex'),
  );
  expect(Date.parse(parsed.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(parsed.validTo)).toBeGreaterThan(Date.now());
  expect(key).toContain('PRIVATE KEY');
});

it('is another each time', () => {
  expect(makeCertificate().fingerprint).not.toEqual(makeCertificate().fingerprint);
});
