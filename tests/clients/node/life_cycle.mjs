// A runner's whole life through @gitbeaker/rest, as it comes from npm. Arguments: URL, administrator's token.
import assert from 'node:assert/strict';
import { Gitlab } from '@gitbeaker/rest';
import { failsWith, host, inAMonth, root } from './support.mjs';

const me = await root.Users.showCurrentUser();
assert.equal(me.username, 'root');
assert.ok((await root.Metadata.show()).version);

// people, group, project
const carl = await root.Users.create({
  username: 'carl', name: 'Carl', email: 'carl@example.org', forceRandomPassword: true, skipConfirmation: true });
const group = await root.Groups.create('Builders', 'builders');
const subgroup = await root.Groups.create('Below', 'below', { parentId: group.id });
const project = await root.Projects.create({ name: 'robot', namespaceId: subgroup.id });
const other = await root.Projects.create({ name: 'other', namespaceId: subgroup.id });
await root.GroupMembers.add(group.id, 50, { userId: carl.id });
await root.ProjectMembers.add(project.id, 30, { userId: me.id }).catch(() => {}); // root may be a member already
assert.equal((await root.GroupMembers.show(group.id, carl.id)).access_level, 50);
assert.ok((await root.ProjectMembers.all(project.id, { includeInherited: true })).some((m) => m.id === carl.id));

// access tokens
const personal = await root.Users.createPersonalAccessToken(carl.id, 'work', ['api'], { expiresAt: inAMonth });
const asCarl = new Gitlab({ host, token: personal.token });
assert.equal((await asCarl.Users.showCurrentUser()).username, 'carl');
const ofGroup = await root.GroupAccessTokens.create(group.id, 'fleet', ['api'], inAMonth, { accessLevel: 50 });
const ofProject = await root.ProjectAccessTokens.create(project.id, 'ci', ['api'], inAMonth, { accessLevel: 40 });
const rotated = await root.GroupAccessTokens.rotate(group.id, ofGroup.id);
assert.notEqual(rotated.token, ofGroup.token);
const spare = await root.GroupAccessTokens.create(group.id, 'spare', ['api'], inAMonth, { accessLevel: 30 });
const successor = await root.GroupAccessTokens.rotate(group.id, spare.id);
for (const dead of [spare, successor]) { // whoever uses a rotated token ends the whole family
  await failsWith(401, new Gitlab({ host, token: dead.token }).Users.showCurrentUser());
}
assert.ok((await root.PersonalAccessTokens.all({ userId: carl.id })).every((t) => t.token === undefined));

// create
const instance = await root.Users.createCIRunner('instance_type', {
  description: 'for all', tagList: ['linux', 'docker'], runUntagged: false, maximumTimeout: 3600 });
assert.match(instance.token, /^glrt-t1_/);
const ofCarl = await asCarl.Users.createCIRunner('group_type', { groupId: group.id, description: 'of carl' });
const bots = await new Gitlab({ host, token: rotated.token }).Users.createCIRunner('group_type', {
  groupId: subgroup.id, paused: true });
const single = await new Gitlab({ host, token: ofProject.token }).Users.createCIRunner('project_type', {
  projectId: project.id, tagList: 'java,linux' });
await failsWith(403, asCarl.Users.createCIRunner('instance_type'));

// lists: filters, offset and keyset pages
const ids = (list) => list.map((r) => r.id).sort((a, b) => a - b);
const all = ids(await root.Runners.all({}));
for (const made of [instance, ofCarl, bots, single]) assert.ok(all.includes(made.id));
assert.deepEqual(ids(await root.Runners.all({ tagList: 'linux,docker' })), [instance.id]);
assert.ok(ids(await root.Runners.all({ paused: true })).includes(bots.id));
assert.deepEqual(ids(await root.Runners.all({ groupId: group.id, type: 'group_type' })), [ofCarl.id]);
assert.deepEqual(ids(await root.Runners.all({ groupId: subgroup.id, type: 'group_type' })), [ofCarl.id, bots.id]);
assert.deepEqual(ids(await root.Runners.all({ projectId: project.id })), ids([instance, ofCarl, bots, single]));
assert.deepEqual(ids(await asCarl.Runners.all({ owned: true })), ids([ofCarl, bots, single]));
const page = await root.Runners.all({ perPage: 2, page: 1, maxPages: 1, showExpanded: true });
assert.equal(page.data.length, 2);
assert.equal(page.paginationInfo.total, all.length);
assert.equal(page.paginationInfo.totalPages, Math.ceil(all.length / 2));
assert.deepEqual(ids(await root.Runners.all({ perPage: 2 })), all);
const keyset = await root.Runners.all({ pagination: 'keyset', perPage: 2, orderBy: 'id', sort: 'asc' });
assert.deepEqual(keyset.map((r) => r.id), all);
await failsWith(400, root.Runners.all({ status: 'nonsense' }));

// show, edit, pause
const shown = await root.Runners.show(instance.id);
assert.equal(shown.status, 'never_contacted');
assert.equal(shown.token, undefined);
assert.deepEqual([...shown.tag_list].sort(), ['docker', 'linux']);
await root.Runners.edit(instance.id, { description: 'edited', paused: true });
assert.equal((await root.Runners.show(instance.id)).paused, true);
await root.Runners.edit(instance.id, { paused: false, tagList: ['linux'] });
assert.deepEqual((await root.Runners.show(instance.id)).tag_list, ['linux']);
assert.match(await failsWith(400, root.Runners.edit(instance.id, {})), /at least one parameter/);

// a host, its manager, jobs
await root.Runners.verify({ token: ofCarl.token, systemId: 's_00000000000a' });
const managers = await root.requester?.get?.(`runners/${ofCarl.id}/managers`)
  ?? await root.Runners.requester.get(`runners/${ofCarl.id}/managers`);
assert.equal(managers.body[0].system_id, 's_00000000000a');
assert.equal((await root.Runners.show(ofCarl.id)).online, true);
assert.deepEqual(await root.Runners.allJobs(ofCarl.id), []);
assert.deepEqual(await root.Runners.allJobs(ofCarl.id, { pagination: 'keyset', orderBy: 'id', sort: 'asc' }), []);

// assign, lock
await root.Runners.enable(other.id, single.id);
assert.equal((await root.Runners.show(single.id)).projects.length, 2);
await root.Runners.edit(single.id, { locked: true });
await failsWith(403, asCarl.Runners.disable(other.id, single.id));
await root.Runners.disable(other.id, single.id);
assert.equal((await root.Runners.show(single.id)).projects.length, 1);
assert.match(await failsWith(403, root.Runners.enable(other.id, ofCarl.id)), /group runner/);

// secrets
const post = (path) => root.Runners.requester.post(path);
const reset = (await post(`runners/${ofCarl.id}/reset_authentication_token`)).body.token;
await failsWith(403, root.Runners.verify({ token: ofCarl.token }));
await root.Runners.verify({ token: reset });
await root.ApplicationSettings.edit({ allowRunnerRegistrationToken: true });
assert.equal((await root.ApplicationSettings.show()).allow_runner_registration_token, true);
const before = (await root.Projects.show(project.id)).runners_token;
const registration = (await post(`projects/${project.id}/runners/reset_registration_token`)).body.token;
assert.match(registration, /^GR1348941/);
await failsWith(403, root.Runners.register(before));
const legacy = await root.Runners.register(registration, { description: 'legacy', tagList: 'a,b', runUntagged: true });
assert.deepEqual((await root.Runners.show(legacy.id)).projects.map((p) => p.id), [project.id]);
await root.Runners.remove({ token: legacy.token });
await failsWith(404, root.Runners.show(legacy.id));
const ofInstance = (await post('runners/reset_registration_token')).body.token;
const ofTheGroup = (await post(`groups/${group.id}/runners/reset_registration_token`)).body.token;
await root.ApplicationSettings.edit({ allowRunnerRegistrationToken: false });
for (const secret of [registration, ofInstance, ofTheGroup]) await failsWith(410, root.Runners.register(secret));

// the audit trail, the end
const trail = await root.AuditEvents.all();
assert.ok(trail.some((e) => e.event_name === 'ci_runner_registered'));
assert.ok(!JSON.stringify(trail).includes(instance.token));
await root.Users.remove(carl.id);
assert.equal((await root.Runners.show(ofCarl.id)).created_by, null);
for (const made of [instance, ofCarl, bots, single]) {
  await root.Runners.remove({ runnerId: made.id });
  await failsWith(404, root.Runners.show(made.id));
}
