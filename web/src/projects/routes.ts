// Pages of projects, pipelines, jobs and artifacts; the router of the shell takes them in before its own.
import type { RouteRecordRaw } from 'vue-router'

export const projectRoutes: RouteRecordRaw[] = []
