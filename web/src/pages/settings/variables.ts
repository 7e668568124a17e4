// The section for CI/CD variables belongs to the project pages; it is taken in when it is there.
import { defineAsyncComponent, type Component } from 'vue'

const found = Object.values(import.meta.glob<{ default: Component }>('../../projects/VariablesSection.vue'))[0]
export const VariablesSection = found ? defineAsyncComponent(found) : null
