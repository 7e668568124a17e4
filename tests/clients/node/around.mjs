// What people need around their runners, through @gitbeaker/rest as it comes from npm. Arguments: URL, administrator's
// token.
import assert from 'node:assert/strict';
import { Gitlab } from '@gitbeaker/rest';
import { failsWith, host, inAMonth, root } from './support.mjs';

const paths = (list) => list.map((one) => one.path).sort();

// groups and projects: filters, pages, moves
const top = await root.Groups.create('Top', 'top');
const below = await root.Groups.create('Below', 'below', { parentId: top.id });
const app = await root.Projects.create({ name: 'App', namespaceId: below.id, topics: ['tools'] });
const lib = await root.Projects.create({ name: 'Lib', namespaceId: top.id, visibility: 'public' });
assert.deepEqual(paths(await root.Groups.all({ search: 'bel' })), ['below']);
assert.deepEqual(paths(await root.Groups.all({ perPage: 1 })), ['below', 'top']);
assert.deepEqual(paths(await root.Groups.allSubgroups(top.id)), ['below']);
assert.deepEqual(paths(await root.Groups.all({ skipGroups: [top.id] })), ['below']);
assert.deepEqual(paths(await root.Projects.all({ topic: 'tools' })), ['app']);
assert.deepEqual(paths(await root.Projects.all({ pagination: 'keyset', orderBy: 'id', sort: 'asc', perPage: 1 })),
  ['app', 'lib']);
assert.deepEqual(paths(await root.Projects.all({ membership: true, simple: true, search: 'li' })), ['lib']);
assert.deepEqual(paths(await root.Groups.allProjects(top.id, { includeSubgroups: true })), ['app', 'lib']);
assert.equal((await root.Projects.show('top/below/app')).id, app.id);
assert.equal((await root.Projects.edit(app.id, { description: 'an app' })).description, 'an app');
assert.equal((await root.Projects.archive(app.id)).archived, true);
assert.equal((await root.Projects.unarchive(app.id)).archived, false);
assert.equal((await root.Projects.transfer(lib.id, below.id)).path_with_namespace, 'top/below/lib');
assert.equal((await root.Groups.transfer(below.id)).full_path, 'below');
assert.equal((await root.Groups.transfer(below.id, { groupId: top.id })).full_path, 'top/below');
await failsWith(404, root.Projects.show('top/lib'));

// members
const people = [];
for (const name of ['ann', 'bob']) {
  const user = await root.Users.create({
    username: name, name, email: `${name}@example.org`, forceRandomPassword: true, skipConfirmation: true });
  const secret = (await root.Users.createPersonalAccessToken(user.id, 'work', ['api'], { expiresAt: inAMonth })).token;
  people.push({ id: user.id, api: new Gitlab({ host, token: secret }) });
}
const [ann, bob] = people;
await root.GroupMembers.add(top.id, 30, { userId: `${ann.id},${bob.id}` });
assert.equal((await root.GroupMembers.all(top.id, { query: 'ann' })).length, 1);
assert.equal((await root.GroupMembers.edit(top.id, ann.id, 40)).access_level, 40);
assert.equal((await ann.api.Users.createCIRunner('project_type', { projectId: app.id })).token.slice(0, 8), 'glrt-t3_');
await failsWith(403, ann.api.Users.createCIRunner('group_type', { groupId: top.id }));
await root.GroupMembers.remove(top.id, ann.id);
await failsWith(400, ann.api.Users.createCIRunner('project_type', { projectId: app.id }));
await root.Users.block(bob.id);
assert.match(await failsWith(403, bob.api.Projects.all()), /blocked/);
await root.Users.unblock(bob.id);
await root.Users.deactivate(bob.id);
assert.match(await failsWith(403, bob.api.Projects.all()), /deactivated/);
await root.Users.activate(bob.id);
assert.equal((await bob.api.Users.showCurrentUser()).username, 'bob');

// variables, protected branches, flags
await root.ProjectVariables.create(app.id, 'NAME', 'one');
assert.equal((await root.ProjectVariables.edit(app.id, 'NAME', 'two')).value, 'two');
await root.ProjectVariables.remove(app.id, 'NAME');
await failsWith(404, root.ProjectVariables.show(app.id, 'NAME'));
assert.equal((await root.ProtectedBranches.all(app.id))[0].name, 'main');
assert.deepEqual(await root.Pipelines.all(app.id), []);
assert.deepEqual(await root.Jobs.all(app.id), []);
assert.match(await failsWith(400, root.Pipelines.create(app.id, 'main')), /not found/i);
await failsWith(404, root.Pipelines.show(app.id, 999));
await failsWith(404, root.Jobs.show(app.id, 999));

// what is not there says so
await failsWith(404, root.Issues.all({ projectId: app.id }));
await failsWith(404, root.MergeRequests.all({ projectId: app.id }));
await failsWith(404, root.Environments.all(app.id));

await root.Projects.remove(app.id);
await root.Groups.remove(top.id);
await failsWith(404, root.Groups.show(below.id));
