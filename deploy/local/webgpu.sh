#!/bin/sh
# Software Vulkan for WebGPU without a GPU: SwiftShader out of Debian's chromium-common, unpacked into .servers/.
# Needs Debian or Ubuntu's apt-get and libvulkan1 (apt-get install libvulkan1). For correctness, never for speed.
# Usage: . deploy/local/webgpu.sh    sets VK_ICD_FILENAMES in this shell
#        deploy/local/webgpu.sh CMD  runs CMD with it
dir="${RHEO_SERVERS_DIR:-$PWD/.servers}/swiftshader"
icd="$dir/usr/lib/chromium/vk_swiftshader_icd.json"
if [ ! -f "$icd" ]; then
  mkdir -p "$dir" || exit 1
  download() { apt-get download chromium-common >&2; }
  (cd "$dir" && { download || { apt-get update >&2 && download; }; } && dpkg-deb -x chromium-common_*.deb . && rm -f chromium-common_*.deb) || {
    echo 'webgpu.sh: chromium-common could not be downloaded.' >&2
    exit 1
  }
fi
ldconfig -p | grep -q libvulkan.so.1 || echo 'webgpu.sh: libvulkan1 is missing: apt-get install libvulkan1' >&2
export VK_ICD_FILENAMES="$icd"
[ $# -eq 0 ] || exec "$@"
