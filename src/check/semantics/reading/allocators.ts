// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's allocators by name. They are families: what one gave, another one can't take
// (include/linux/{slab,vmalloc,percpu,gfp,mempool,dmapool}.h); `kvfree` takes what kmalloc and what vmalloc gave, and
// `kfree` also what kmem_cache_alloc gave (Documentation/core-api/memory-allocation.rst).
import type { Token } from '../../../c/tokens/lexer.ts'
import { squeezed } from '../../../c/tokens/text.ts'

export type Family = string

const takes: readonly (readonly [RegExp, Family])[] = [
  [
    /^k(?:[mz]|re|c)alloc(?:_(?:node|array|array_node|large|large_node|track_caller|trace|noprof))?(?:_noprof)?$|^kmemdup\w*$|^kstrdup\w*$|^kstrndup$|^kvasprintf$|^kasprintf$|^memdup_user(?:_nul)?$|^kcalloc_node$|^krealloc_array$/,
    'kmalloc',
  ],
  [/^kv(?:[mz]|c|re)alloc(?:_(?:node|array))?$|^kvmemdup$|^vmemdup_user$|^kvmalloc_array$|^kvcalloc$/, 'kvmalloc'],
  [/^__?vmalloc\w*$|^vmalloc(?:_\w+)?$|^vzalloc(?:_node)?$|^vcalloc$/, 'vmalloc'],
  [/^kmem_cache_(?:z?alloc)(?:_\w+)?$/, 'kmem_cache'],
  [/^(?:__)?alloc_percpu(?:_gfp)?$|^netdev_alloc_pcpu_stats$|^alloc_percpu_\w+$/, 'percpu'],
  [/^(?:__)?alloc_pages?(?:_node|_vma|_noprof)?$|^(?:__)?folio_alloc\w*$|^dev_alloc_pages?$/, 'struct page'],
  [/^__get_free_pages?$|^get_zeroed_page(?:_\w+)?$|^alloc_pages_exact$/, 'page address'],
  [/^mempool_alloc$/, 'mempool'],
  [/^dma_pool_z?alloc$/, 'dma_pool'],
  [/^dma_alloc_(?:coherent|attrs|wc)$/, 'dma_alloc'],
  [/^devm_k(?:[mz]|c)alloc(?:_array)?$|^devm_kmemdup$|^devm_kasprintf$|^devm_kstrdup$/, 'devm_kmalloc'],
  [/^memblock_\w*alloc\w*$/, 'memblock'],
]

const gives: readonly (readonly [RegExp, readonly Family[], number])[] = [
  [
    /^kv(?:z)?free(?:_sensitive)?$|^k(?:v)?free_rcu(?:_mightsleep)?$/,
    ['kmalloc', 'kvmalloc', 'vmalloc', 'kmem_cache'],
    0,
  ],
  [/^kz?free(?:_sensitive)?$|^kfree_const$/, ['kmalloc', 'kmem_cache'], 0],
  [/^vfree(?:_atomic)?$/, ['vmalloc'], 0],
  [/^kmem_cache_free$/, ['kmem_cache'], 1],
  [/^free_percpu$/, ['percpu'], 0],
  [/^__free_pages?$|^put_page$|^folio_put$|^__folio_put$/, ['struct page'], 0],
  [/^free_pages?$|^free_pages_exact$/, ['page address'], 0],
  [/^mempool_free$/, ['mempool'], 0],
  [/^dma_pool_free$/, ['dma_pool'], 1],
  [/^dma_free_(?:coherent|attrs|wc)$/, ['dma_alloc'], 2],
  [/^devm_kfree$/, ['devm_kmalloc'], 1],
]

/** The family, with the cache that it comes from where one is named. */
export function familyOf(word: string, inner: readonly (readonly Token[])[]): Family | undefined {
  const family = takes.find(([words]) => words.test(word))?.[1]
  return family && ofPool(family, /^(?:kmem_cache|mempool|dma_pool)$/.test(family) ? inner[0] : undefined)
}

function ofPool(family: Family, pool: readonly Token[] | undefined): Family {
  return pool === undefined ? family : `${family} ${squeezed(pool)}`
}

export function acceptedBy(
  word: string,
  inner: readonly (readonly Token[])[],
): { families: readonly Family[]; argument: number } | undefined {
  const row = gives.find(([words]) => words.test(word))
  if (row === undefined) return undefined
  const [, families, argument] = row
  // What comes from a pool is given back to one: `kmem_cache_free(cache, x)`, `mempool_free(x, pool)`.
  const isPooled = /^(?:kmem_cache|dma_pool|mempool)_free$/.test(word)
  const pool = isPooled ? inner[word === 'mempool_free' ? 1 : 0] : undefined
  return { families: families.map((family) => ofPool(family, pool)), argument }
}

/** True when what `family` gave may go back by way of a function that takes `families`. */
export function accepts(families: readonly Family[], family: Family): boolean {
  if (family === 'kvmalloc') return families.includes('kmalloc') && families.includes('vmalloc')
  // `kfree` finds the cache itself.
  return families.includes(family) || (family.startsWith('kmem_cache ') && families.includes('kmem_cache'))
}

/** The arguments whose product is the size, by number. */
export const sizeArguments: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^kv?(?:c|m)alloc_array(?:_node)?\w*$|^kv?calloc(?:_node)?\w*$|^vcalloc$|^vmalloc_array$/, [0, 1]],
  [/^devm_k(?:calloc|malloc_array)$|^k(?:v)?realloc_array$/, [1, 2]],
  [/^k(?:v)?realloc\w*$|^(?:v|kv)?memdup\w*$|^kmemdup\w*$|^v?memdup_user\w*$/, [1]],
  [/^k(?:v)?[mz]alloc(?:_\w+)?$|^__?vmalloc\w*$|^v[mz]alloc(?:_\w+)?$|^alloc_pages_exact\w*$/, [0]],
  [/^devm_k[mz]alloc$|^sock_k[mz]alloc$|^dmam?_alloc_\w+$|^usb_alloc_coherent$/, [1]],
  [/^devm_kmemdup$|^dmam?_pool_create$|^bioset_init$|^mempool_init_kmalloc_pool$/, [2]],
  [/^__get_free_pages$|^alloc_pages(?:_node)?$/, [1]],
  [/^__alloc_percpu(?:_gfp)?$|^memblock_alloc\w*$/, [0]],
  [/^kmem_cache_create(?:_usercopy)?$|^mempool_create_kmalloc_pool$/, [1]],
  [/^alloc_(?:netdev|etherdev|candev|fddidev|ieee80211)\w*$|^ieee80211_alloc_hw\w*$|^mmc_alloc_host$/, [0]],
  [/^devm_alloc_etherdev\w*$|^wiphy_new\w*$|^scsi_host_alloc$|^(?:devm_)?(?:spi|iio|ata)_\w*alloc\w*$/, [1]],
  [/^crypto_\w+_set_reqsize\w*$/, [1]],
]
/** The same of what is in flight: a packet. */
export const packetSizes: readonly (readonly [RegExp, number])[] = [
  [/^alloc_skb(?:_\w+)?$|^dev_alloc_skb$|^nlmsg_new$/, 0],
  [/^_*(?:netdev|napi)_alloc_skb\w*$|^sock_(?:alloc_send_skb|wmalloc)$|^skb_reserve$/, 1],
]
/** Frees without a size: how large the object is, the allocator knows. */
export const freesOfAnySize =
  /^(?:k[vz]?z?free\w*(?<!_sensitive)|kfree_sensitive|vfree\w*|kmem_cache_free|free_percpu|devm_kfree|mempool_free|dma_pool_free)$/
/** By the sound of the name, a wrapper of an allocator that nobody lists, too. */
export const soundsLikeAllocation =
  /(?:^|_)(?:[a-z]*alloc(?:ate|ated)?|zalloc|memdup\w*|strdup\w*|kasprintf|get_zeroed_page|get_free_pages?)(?:_|$)|^(?:kmem_cache_|alloc_|kv?[mzc]alloc|kmemdup|kstrdup|memdup)/
/** The same of what ends an object. */
export const soundsLikeFree =
  /^(?:k[vz]*free\w*|vfree\w*|kmem_cache_free\w*|free_\w+|__free_\w+|\w+_free(?:_\w+)?|\w+_destroy|mempool_free|kfree_\w+|dev_kfree_skb\w*|consume_skb|bio_put)$/
