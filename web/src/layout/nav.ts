// What the sidebar offers in each place. Labels are those of the documents: users follow them word by word.
import type { IconName } from '@/components/icons'

export interface NavLink {
  key: string
  label: string
  to: string
  icon?: IconName
}

export interface NavSection {
  key: string
  label: string
  icon: IconName
  children: NavLink[]
}

export type NavEntry = NavLink | NavSection

export const isSection = (entry: NavEntry): entry is NavSection => 'children' in entry

type Can = (ability: string) => boolean

export function workNav(): NavEntry[] {
  return [
    { key: 'projects', label: 'Projects', icon: 'project', to: '/dashboard/projects' },
    { key: 'groups', label: 'Groups', icon: 'group', to: '/dashboard/groups' },
  ]
}

export function userNav(): NavEntry[] {
  return [
    { key: 'profile', label: 'Profile', icon: 'user', to: '/-/user_settings/profile' },
    { key: 'access-tokens', label: 'Access tokens', icon: 'key', to: '/-/user_settings/personal_access_tokens' },
  ]
}

export function adminNav(): NavEntry[] {
  return [
    { key: 'overview', label: 'Overview', icon: 'monitor', to: '/admin' },
    { key: 'users', label: 'Users', icon: 'users', to: '/admin/users' },
    { key: 'ci-cd', label: 'CI/CD', icon: 'build', children: [{ key: 'runners', label: 'Runners', to: '/admin/runners' }] },
    { key: 'audit', label: 'Audit log', icon: 'shield', to: '/admin/audit_log' },
    {
      key: 'settings',
      label: 'Settings',
      icon: 'gear',
      children: [{ key: 'settings-ci-cd', label: 'CI/CD', to: '/admin/application_settings/ci_cd' }],
    },
  ]
}

export function groupNav(base: string, can: Can): NavEntry[] {
  const settings: NavLink[] = []
  if (can('admin_group')) {
    settings.push({ key: 'general', label: 'General', to: `${base}/-/edit` })
    settings.push({ key: 'settings-ci-cd', label: 'CI/CD', to: `${base}/-/settings/ci_cd` })
  }
  if (can('admin_access_tokens')) {
    settings.push({ key: 'access-tokens', label: 'Access tokens', to: `${base}/-/settings/access_tokens` })
  }
  return [
    { key: 'overview', label: 'Overview', icon: 'group', to: base },
    { key: 'manage', label: 'Manage', icon: 'users', children: [{ key: 'members', label: 'Members', to: `${base}/-/group_members` }] },
    ...section('build', 'Build', 'build', can('read_runners') ? [{ key: 'runners', label: 'Runners', to: `${base}/-/runners` }] : []),
    ...section('settings', 'Settings', 'gear', settings),
  ]
}

export function projectNav(base: string, can: Can): NavEntry[] {
  const settings: NavLink[] = []
  if (can('admin_project')) settings.push({ key: 'general', label: 'General', to: `${base}/edit` })
  if (can('admin_ci')) settings.push({ key: 'settings-ci-cd', label: 'CI/CD', to: `${base}/-/settings/ci_cd` })
  if (can('admin_access_tokens')) {
    settings.push({ key: 'access-tokens', label: 'Access tokens', to: `${base}/-/settings/access_tokens` })
  }
  return [
    { key: 'overview', label: 'Overview', icon: 'project', to: base },
    { key: 'manage', label: 'Manage', icon: 'users', children: [{ key: 'members', label: 'Members', to: `${base}/-/project_members` }] },
    ...section('build', 'Build', 'build', [
      { key: 'pipelines', label: 'Pipelines', to: `${base}/-/pipelines` },
      { key: 'jobs', label: 'Jobs', to: `${base}/-/jobs` },
    ]),
    ...section('settings', 'Settings', 'gear', settings),
  ]
}

function section(key: string, label: string, icon: IconName, children: NavLink[]): NavSection[] {
  return children.length ? [{ key, label, icon, children }] : []
}
