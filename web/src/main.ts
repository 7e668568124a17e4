import { createApp } from 'vue'
import App from './App.vue'
import { loadContext } from './session'
import { router } from './router'
import './styles/tokens.css'
import './styles/base.css'
import './styles/components.css'

// The first navigation needs to know who is signed in; a failure is shown by the page itself.
void loadContext()
  .catch(() => undefined)
  .then(() => createApp(App).use(router).mount('#app'))
