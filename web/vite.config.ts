import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'

// Where `npm run dev` finds a coordinator; the built pages are served by the coordinator itself.
const coordinator = process.env.FORERUNNER_URL ?? 'http://127.0.0.1:8080'

export default defineConfig(({ command }) => ({
  plugins: [vue()],
  // Everything but index.html is served below this path, which no group or project can have. Under development the
  // pages themselves are served from here, so that any of their addresses can be opened and reloaded.
  base: command === 'build' ? '/-/assets/' : '/',
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2020',
    assetsDir: 'h',
    // An inlined data: picture or font would need a weaker content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // One sheet, and one file for what most pages are made of: a page takes a handful of requests, not fifty.
    cssCodeSplit: false,
    rollupOptions: {
      output: {
        manualChunks: (id) => (/\/src\/(components|lib|api)\//.test(id) ? 'components' : undefined),
      },
    },
    chunkSizeWarningLimit: 250,
  },
  server: {
    proxy: {
      // The server compares the Origin with the Host: keep the browser's.
      '/api': { target: coordinator, changeOrigin: false },
      '/-/web': { target: coordinator, changeOrigin: false },
      '/-/downloads': { target: coordinator, changeOrigin: false },
    },
  },
}))
