// The main pages in light and dark, for docs/images; written only where PICTURES names a folder.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './support.mjs';

async function scene(context) {
  const { coordinator, group, project } = context;
  const make = (wish) => coordinator.api('POST', '/user/runners', wish);
  const builders = await make({ runner_type: 'instance_type', description: 'Linux builders', tag_list: 'linux,docker', maintenance_note: 'Owned by the **platform** team' });
  await coordinator.contact(builders.token, 's_4f1d0c6a2b9e', '19.4.0');
  await coordinator.contact(builders.token, 's_93bd7710aa52', '19.4.0');
  await make({ runner_type: 'group_type', group_id: group.id, description: 'Acme mobile', tag_list: 'macos,xcode', paused: true });
  await make({ runner_type: 'project_type', project_id: project.id, description: 'Website deploys', tag_list: 'deploy', locked: true, access_level: 'ref_protected' });
  const fresh = await make({ runner_type: 'instance_type', description: 'Windows builders', tag_list: 'windows' });
  coordinator.push(project, {
    '.gitlab-ci.yml': 'stages: [build, test, deploy]\ncompile: {stage: build, script: [make]}\nunit: {stage: test, script: [make test]}\nbrowser: {stage: test, script: [make walk]}\nlint: {stage: test, needs: [], allow_failure: true, script: [make lint]}\npublish: {stage: deploy, when: manual, script: [make publish]}\n',
  }, 'Quicker start page');
  const jobs = [];
  for (let i = 0; i < 2; ++i) {
    jobs.push(await until('a job', async () => {
      const answer = await coordinator.poll(builders.token, 's_4f1d0c6a2b9e');
      return answer.status === 201 && answer.json;
    }));
  }
  const compile = jobs.find((job) => job.job_info.name === 'compile');
  const e = '\u001b';
  await coordinator.trace(compile, [
    `Running with gitlab-runner 19.4.0 (abcdef12)\n  on Linux builders, system ID: s_4f1d0c6a2b9e\n`,
    `section_start:1700000000:prepare_executor\r${e}[0K${e}[36;1mPreparing the "shell" executor${e}[0;m\nUsing Shell (bash) executor...\nsection_end:1700000001:prepare_executor\r${e}[0K`,
    `section_start:1700000001:get_sources\r${e}[0K${e}[36;1mGetting source from Git repository${e}[0;m\nFetching changes with git depth set to 20...\nsection_end:1700000004:get_sources\r${e}[0K`,
    `section_start:1700000004:step_script\r${e}[0K${e}[36;1mExecuting "step_script" stage of the job script${e}[0;m\n${e}[32;1m$ make${e}[0;m\n${e}[33mwarning:${e}[0m unused variable 'left'\n[100%] Linking site\n`,
  ].join(''));
  return { builders, fresh, compile, pipeline: compile.variables.find((one) => one.key === 'CI_PIPELINE_ID').value };
}

export const pictures = process.env.PICTURES
  ? {
      'pictures of the main pages': async (context) => {
        const { builders, fresh, compile, pipeline } = await scene(context);
        mkdirSync(process.env.PICTURES, { recursive: true });
        const pages = {
          'admin-runners': '/admin/runners',
          'new-instance-runner': '/admin/runners/new',
          'register-runner': `/admin/runners/${fresh.id}/register`,
          runner: `/admin/runners/${builders.id}`,
          'project-runners': '/acme/website/-/settings/ci_cd#js-runners-settings',
          pipeline: `/acme/website/-/pipelines/${pipeline}`,
          job: `/acme/website/-/jobs/${compile.id}`,
        };
        for (const colorScheme of ['light', 'dark']) {
          const tab = await context.open('root', { colorScheme });
          for (const [name, address] of Object.entries(pages)) {
            await tab.go(address);
            await tab.page.waitForLoadState('networkidle').catch(() => {});
            await tab.page.screenshot({ path: join(process.env.PICTURES, `${name}-${colorScheme}.png`) });
          }
        }
      },
    }
  : {};
