// The only way to libfuse: everybody here compiles against one version of its interface.
#pragma once

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
