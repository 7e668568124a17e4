// What the scripts with @gitbeaker/rest share. Arguments: URL, administrator's token.
import assert from 'node:assert/strict';
import { Gitlab } from '@gitbeaker/rest';

export const [host, token] = process.argv.slice(2);
export const root = new Gitlab({ host, token });
export const inAMonth = new Date(Date.now() + 30 * 86400e3).toISOString().slice(0, 10);

export async function failsWith(status, promise) {
  let error;
  await promise.catch((e) => { error = e; });
  assert.ok(error, `was to fail with ${status}`);
  assert.equal(error.cause.response.status, status, error.message);
  return error.cause.description;
}
