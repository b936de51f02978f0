import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

export default {
  preprocess: vitePreprocess(),
  // Elements are made one by one: each template as a text of its own is parsed for longer than that takes.
  compilerOptions: { runes: true, fragments: 'tree' },
}
