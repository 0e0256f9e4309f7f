/**
 * What a Node under sanitizers runs first (`npm run test:asan` sets it): the programs that it starts are not to be
 * loaded with their runtime, for some hang under it (qemu-img, by its coroutines), and their leaks are their own. Only
 * another Node gets it again, by way of the script that XBBD_ASAN_NODE names, because it loads the addon, too.
 */
delete process.env.LD_PRELOAD
process.execPath = process.env.XBBD_ASAN_NODE
