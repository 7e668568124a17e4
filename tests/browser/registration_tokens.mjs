// The deprecated workflow: registration tokens to copy and to reset, and the switches that turn them off and on.
import { check, equal } from './support.mjs';

const allow = (coordinator, value) => coordinator.api('PUT', '/application/settings', { allow_runner_registration_token: value });

// Opens the menu, reveals and copies the token that it holds.
async function copyToken(tab, name) {
  const { page } = tab;
  await page.getByRole('button', { name, exact: true }).click();
  await page.getByText('Deprecated', { exact: true }).waitFor();
  await page.getByRole('link', { name: 'Migrating to the new runner registration workflow' }).first().waitFor();
  equal(await page.getByLabel('Registration token', { exact: true }).getAttribute('type'), 'password', 'the token is masked');
  await page.getByRole('button', { name: 'Reveal registration token' }).click();
  const shown = await page.getByLabel('Registration token', { exact: true }).inputValue();
  await page.getByRole('button', { name: 'Copy registration token' }).click();
  equal(await page.evaluate(() => navigator.clipboard.readText()), shown, 'the copied token');
  check(shown.startsWith('GR1348941'), `a registration token is not ${shown}`);
  return shown;
}

const register = (coordinator, token) => coordinator.runner('POST', '/runners', { token, description: 'by token', tag_list: 'old', info: { name: 'gitlab-runner' } });

async function walkThrough({ coordinator, open, user, address, name }) {
  await allow(coordinator, true);
  const tab = await open(user);
  await tab.go(address);
  const token = await copyToken(tab, name);
  const made = await register(coordinator, token);
  equal(made.status, 201, 'registration');
  check(made.json.token.startsWith('glrtr-'), 'its token is of a registered runner');
  return { tab, token, made };
}

export const registrationTokenWalks = {
  'walk: registration token of the instance': async ({ coordinator, open }) => {
    const { tab, token } = await walkThrough({ coordinator, open, user: 'root', address: '/admin/runners', name: 'Register an instance runner' });
    await tab.accessible('the registration token menu');
    await tab.page.getByRole('button', { name: 'Reset registration token' }).click();
    await tab.page.getByRole('dialog').getByText('already').first().waitFor();
    await tab.page.getByRole('button', { name: 'Reset token' }).click();
    await tab.page.getByText('The registration token was reset').waitFor();
    equal((await register(coordinator, token)).status, 403, 'registration by the old token');
  },

  'walk: registration token of a group': async ({ coordinator, open }) => {
    await walkThrough({ coordinator, open, user: 'olivia', address: '/groups/acme/-/runners', name: 'Register a group runner' });
  },

  'walk: registration token of a project': async ({ coordinator, open }) => {
    await walkThrough({ coordinator, open, user: 'max', address: '/acme/website/-/settings/ci_cd#js-runners-settings', name: 'Register a project runner' });
  },

  'walk: registration tokens switched off': async ({ coordinator, open, group }) => {
    const admin = await open('root');
    const owner = await open('olivia');
    const menu = (tab) => tab.page.getByRole('button', { name: /^Register an? \w+ runner$/ });
    const places = ['/groups/acme/-/runners', '/acme/website/-/settings/ci_cd#js-runners-settings', '/acme/labs/shop/-/settings/ci_cd#js-runners-settings'];
    await admin.go('/admin/runners'); // off is how a new installation starts
    await admin.page.getByRole('link', { name: 'New instance runner' }).waitFor();
    equal(await menu(admin).count(), 0, 'the menu of the instance');
    for (const place of places) {
      await owner.go(place);
      await owner.page.getByRole('link', { name: /^New (group|project) runner$/ }).waitFor();
      equal(await menu(owner).count(), 0, `the menu at ${place}`);
    }
    await allow(coordinator, true);
    for (const place of places) {
      await owner.go(place);
      await menu(owner).waitFor();
    }
    await owner.go('/groups/acme/-/settings/ci_cd');
    await owner.page.getByRole('button', { name: /Expand/ }).first().click();
    await owner.page.getByRole('switch', { name: /^Allow members of projects and groups to create runners with runner registration tokens/ }).click();
    await owner.page.getByRole('switch', { name: /^Allow members/, checked: false }).waitFor();
    equal((await coordinator.api('GET', `/groups/${group.id}`)).allow_runner_registration_token ?? false, false, 'the switch of the group');
    for (const place of places) {
      await owner.go(place);
      await owner.page.getByRole('link', { name: /^New (group|project) runner$/ }).waitFor();
      equal(await menu(owner).count(), 0, `the menu at ${place}`);
    }
  },

  'walk: re-enable registration tokens': async ({ coordinator, open }) => {
    const tab = await open('root');
    await tab.go('/admin/application_settings/ci_cd');
    await tab.page.getByRole('button', { name: /Expand/ }).first().click();
    await tab.accessible('CI/CD settings of the instance');
    await tab.page.getByLabel('Allow runner registration token').check();
    await tab.page.getByRole('button', { name: 'Save changes' }).first().click();
    await tab.page.getByText(/saved/i).first().waitFor();
    equal((await coordinator.api('GET', '/application/settings')).allow_runner_registration_token, true, 'the setting');
    await tab.go('/admin/runners');
    await tab.page.getByRole('button', { name: 'Register an instance runner' }).waitFor();
  },

  'walk: existing runners go on': async ({ coordinator, open }) => {
    await allow(coordinator, true);
    const settings = await coordinator.api('GET', '/application/settings');
    const made = await register(coordinator, settings.runners_registration_token);
    equal((await coordinator.poll(made.json.token, 's_aaaaaaaaaaaa')).status, 204, 'a poll');
    await allow(coordinator, false);
    equal((await register(coordinator, settings.runners_registration_token)).status, 410, 'a registration afterwards');
    equal((await coordinator.poll(made.json.token, 's_aaaaaaaaaaaa')).status, 204, 'a poll afterwards');
    const tab = await open('root');
    await tab.go('/admin/runners');
    await tab.page.getByRole('row').filter({ hasText: 'by token' }).getByText('Online').waitFor();
  },
};
