// Pages of projects, pipelines, jobs and artifacts; the router of the shell takes them in before its own.
import type { RouteRecordRaw } from 'vue-router'

const below = (path: string) => `/:project(.+)/-/${path}`

export const projectRoutes: RouteRecordRaw[] = [
  {
    path: '/dashboard/projects',
    component: () => import('./ProjectsPage.vue'),
    meta: { scope: 'work', nav: 'projects', title: 'Projects' },
  },
  {
    path: '/projects/new',
    component: () => import('./NewProjectPage.vue'),
    meta: { scope: 'work', nav: 'projects', title: 'New project', crumbs: [{ label: 'Projects', to: '/dashboard/projects' }] },
  },
  {
    path: '/:project(.+)/edit',
    alias: below('edit'),
    component: () => import('./ProjectSettingsPage.vue'),
    meta: { scope: 'project', nav: 'general', title: 'General', crumbs: [{ label: 'Settings' }] },
  },
  {
    path: below('pipelines'),
    component: () => import('./pipelines/PipelinesPage.vue'),
    meta: { scope: 'project', nav: 'pipelines', title: 'Pipelines', crumbs: [{ label: 'Build' }] },
  },
  {
    path: below('pipelines/new'),
    component: () => import('./pipelines/NewPipelinePage.vue'),
    meta: { scope: 'project', nav: 'pipelines', title: 'New pipeline', crumbs: [{ label: 'Build' }, { label: 'Pipelines', to: '-/pipelines' }] },
  },
  {
    path: below('pipelines/:pipeline(\\d+)'),
    component: () => import('./pipelines/PipelinePage.vue'),
    meta: { scope: 'project', nav: 'pipelines', title: 'Pipeline', crumbs: [{ label: 'Build' }, { label: 'Pipelines', to: '-/pipelines' }] },
  },
  {
    path: below('jobs'),
    component: () => import('./jobs/JobsPage.vue'),
    meta: { scope: 'project', nav: 'jobs', title: 'Jobs', crumbs: [{ label: 'Build' }] },
  },
  {
    path: below('jobs/:job(\\d+)'),
    component: () => import('./jobs/JobPage.vue'),
    meta: { scope: 'project', nav: 'jobs', title: 'Job', crumbs: [{ label: 'Build' }, { label: 'Jobs', to: '-/jobs' }] },
  },
  {
    path: below('jobs/:job(\\d+)/artifacts/browse/:dir(.*)?'),
    component: () => import('./jobs/ArtifactsPage.vue'),
    meta: {
      scope: 'project',
      nav: 'jobs',
      title: 'Artifacts',
      crumbs: [{ label: 'Build' }, { label: 'Jobs', to: '-/jobs' }, { label: 'Job', to: '-/jobs/:job' }],
    },
  },
]
