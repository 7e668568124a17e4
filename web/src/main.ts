// Shared looks first: what a component says of itself must win over them.
import './styles/tokens.css'
import './styles/base.css'
import './styles/components.css'
import { createApp } from 'vue'
import App from './App.vue'
import { loadContext } from './session'
import { router } from './router'

// The first navigation needs to know who is signed in; a failure is shown by the page itself.
void loadContext()
  .catch(() => undefined)
  .then(() => createApp(App).use(router).mount('#app'))
