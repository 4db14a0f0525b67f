/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE   ((size_t) 65536)
#define NAME_TAIL     64  /* of the temporary name, behind the path */
#define NAME_ATTEMPTS 100 /* what crashed programs left may be in the way */
#define LINK_TEXT     4096
#define LINKS_MAX     40 /* as Linux has it */

struct ub__writer {
    ub_context *context;
    char *path;
    char *temporary; /* NULL: a device or a pipe, written to as it is */
    unsigned char *buffer;
    size_t buffered;
    ub_status status; /* of the first failure; it sticks */
    int fd;
};

static ub_status write_all(ub__writer *self, const unsigned char *data,
                           size_t size)
{
    while (size > 0) {
        ssize_t n = write(self->fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ub__fail_errno(self->context, self->path, "writing", errno);
        data += n;
        size -= (size_t) n;
    }
    return UB_OK;
}

static ub_status flush_buffer(ub__writer *self)
{
    size_t size = self->buffered;

    self->buffered = 0;
    return write_all(self, self->buffer, size);
}

/* Devices and pipes are written to as they are: a file renamed over them would
 * take their place. */
static int is_stream(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
           !S_ISDIR(info.st_mode);
}

/* The path becomes what a symbolic link says, as seen from the link's folder.
 */
static ub_status follow_link(ub__writer *self, const char *text, size_t length)
{
    const char *slash = strrchr(self->path, '/');
    size_t folder = 0;
    char *path;

    if (slash != NULL && text[0] != '/')
        folder = (size_t) (slash - self->path) + 1;
    path = ub__alloc(self->context, folder + length + 1, 1);
    if (path == NULL)
        return UB_ERR_NOMEM;
    memcpy(path, self->path, folder);
    memcpy(path + folder, text, length);
    path[folder + length] = '\0';
    ub__free(self->context, self->path);
    self->path = path;
    return UB_OK;
}

/* A file renamed over a symbolic link would take the link's place and leave
 * what it points to as it was: /dev/stdout is such a link. */
static ub_status follow_links(ub__writer *self)
{
    char text[LINK_TEXT];

    for (int i = 0; i < LINKS_MAX; i++) {
        const ssize_t n = readlink(self->path, text, sizeof text);
        ub_status status;

        if (n <= 0) /* no link; what else is wrong, opening tells */
            return UB_OK;
        if (n == LINK_TEXT)
            return ub__fail_errno(self->context, self->path, "opening",
                                  ENAMETOOLONG);
        status = follow_link(self, text, (size_t) n);
        if (status != UB_OK)
            return status;
    }
    return ub__fail_errno(self->context, self->path, "opening", ELOOP);
}

static ub_status open_stream(ub__writer *self)
{
    do
        self->fd = open(self->path, O_WRONLY | O_CLOEXEC);
    while (self->fd < 0 && errno == EINTR);
    if (self->fd < 0)
        return ub__fail_errno(self->context, self->path, "opening", errno);
    return UB_OK;
}

static ub_status open_temporary(ub__writer *self)
{
    size_t size = strlen(self->path) + NAME_TAIL;

    self->temporary = ub__alloc(self->context, size, 1);
    if (self->temporary == NULL)
        return UB_ERR_NOMEM;
    for (int i = 0; i < NAME_ATTEMPTS; i++) {
        snprintf(self->temporary, size, "%s.%ld-%d.tmp", self->path,
                 (long) getpid(), i);
        self->fd = open(self->temporary,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (self->fd >= 0 || errno != EEXIST)
            break;
    }
    if (self->fd < 0)
        return ub__fail_errno(self->context, self->path, "creating", errno);
    return UB_OK;
}

static void release(ub__writer *self)
{
    ub_context *context = self->context;

    ub__free(context, self->buffer);
    ub__free(context, self->temporary);
    ub__free(context, self->path);
    ub__free(context, self);
}

/* Until then a crash may bring the old file back. Folders that cannot be
 * opened or synced are left to the system. */
static ub_status sync_folder(ub__writer *self)
{
    char *slash = strrchr(self->path, '/');
    int fd, result, error;

    if (slash != NULL)
        slash[1] = '\0';
    fd = open(slash == NULL ? "." : self->path,
              O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return UB_OK;
    result = fsync(fd);
    error = errno;
    close(fd);
    if (result != 0 && error == EIO)
        return ub__fail_errno(self->context, self->path, "syncing", error);
    return UB_OK;
}

static ub_status finish(ub__writer *self)
{
    ub_status status = flush_buffer(self);

    if (status != UB_OK)
        return status;
    if (self->temporary != NULL && fsync(self->fd) != 0)
        return ub__fail_errno(self->context, self->path, "syncing", errno);
    if (close(self->fd) != 0 && errno != EINTR) {
        self->fd = -1;
        return ub__fail_errno(self->context, self->path, "closing", errno);
    }
    self->fd = -1;
    if (self->temporary != NULL && rename(self->temporary, self->path) != 0)
        return ub__fail_errno(self->context, self->path, "renaming", errno);
    return UB_OK;
}

ub_status ub__writer_open(ub_context *context, const char *path,
                          ub__writer **out)
{
    ub__writer *self = ub__calloc(context, 1, sizeof *self);
    ub_status status = UB_ERR_NOMEM;

    if (self == NULL)
        return UB_ERR_NOMEM;
    self->context = context;
    self->fd = -1;
    self->path = ub__strdup(context, path);
    if (self->path == NULL)
        goto fail;
    self->buffer = ub__alloc(context, BUFFER_SIZE, 1);
    if (self->buffer == NULL)
        goto fail;
    if (is_stream(path)) {
        status = open_stream(self);
    } else {
        status = follow_links(self);
        if (status == UB_OK)
            status = open_temporary(self);
    }
    if (status != UB_OK)
        goto fail;
    *out = self;
    return UB_OK;

fail:
    release(self);
    return status;
}

ub_status ub__writer_put(ub__writer *writer, const void *data, size_t size)
{
    if (writer->status == UB_OK && size > BUFFER_SIZE - writer->buffered)
        writer->status = flush_buffer(writer);
    if (writer->status != UB_OK)
        return writer->status;
    if (size > BUFFER_SIZE) {
        writer->status = write_all(writer, data, size);
    } else if (size > 0) {
        memcpy(writer->buffer + writer->buffered, data, size);
        writer->buffered += size;
    }
    return writer->status;
}

ub_status ub__writer_commit(ub__writer **writer)
{
    ub__writer *self = *writer;
    ub_status status = self->status;

    if (status == UB_OK)
        status = finish(self);
    if (status != UB_OK) {
        ub__writer_abort(writer);
        return status;
    }
    *writer = NULL;
    status = self->temporary == NULL ? UB_OK : sync_folder(self);
    release(self);
    return status;
}

void ub__writer_abort(ub__writer **writer)
{
    ub__writer *self;

    if (writer == NULL || *writer == NULL)
        return;
    self = *writer;
    *writer = NULL;
    if (self->fd >= 0)
        close(self->fd);
    if (self->temporary != NULL)
        unlink(self->temporary);
    release(self);
}

ub_status ub__file_write(ub_context *context, const char *path,
                         const void *data, size_t size)
{
    ub__writer *writer;
    ub_status status = ub__writer_open(context, path, &writer);

    if (status != UB_OK)
        return status;
    /* A failure sticks, and commit returns it. */
    (void) ub__writer_put(writer, data, size);
    return ub__writer_commit(&writer);
}
