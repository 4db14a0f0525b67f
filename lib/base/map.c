/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static ub_status map_open(ub_context *context, const char *path, int fd,
                          size_t limit, ub__mapping *out)
{
    ub__mapping map = { NULL, 0 };
    struct stat info;

    if (fstat(fd, &info) != 0)
        return ub__fail_errno(context, path, "reading", errno);
    if (S_ISDIR(info.st_mode))
        return ub__fail_errno(context, path, "reading", EISDIR);
    if (!S_ISREG(info.st_mode))
        return ub__fail(context, UB_ERR_IO, "%s: not a regular file", path);
    if ((uintmax_t) info.st_size > limit)
        return ub__fail(context, UB_ERR_RANGE, "%s: larger than %zu bytes",
                        path, limit);
    map.size = (size_t) info.st_size;
    if (map.size > 0) {
        void *data = mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (data == MAP_FAILED)
            return ub__fail_errno(context, path, "mapping", errno);
        map.data = data;
    }
    *out = map;
    return UB_OK;
}

ub_status ub__file_map(ub_context *context, const char *path, size_t limit,
                       ub__mapping *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ub_status status;

    if (fd < 0)
        return ub__fail_errno(context, path, "opening", errno);
    status = map_open(context, path, fd, limit, out);
    close(fd);
    return status;
}

void ub__file_unmap(ub__mapping *map)
{
    if (map->data != NULL)
        munmap((void *) map->data, map->size);
    map->data = NULL;
    map->size = 0;
}
