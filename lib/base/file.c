/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_BUFFER ((size_t) 65536)

static const char *reason(int error)
{
    switch (error) {
    case ENOENT: return "no such file or folder";
    case EACCES: return "permission denied";
    case EPERM: return "not permitted";
    case EISDIR: return "is a folder";
    case ENOTDIR: return "not a folder";
    case ENOSPC: return "no space left";
    case EDQUOT: return "quota exceeded";
    case EFBIG: return "file too large";
    case EEXIST: return "exists already";
    case EROFS: return "read-only file system";
    case EMFILE:
    case ENFILE: return "too many open files";
    case ENAMETOOLONG: return "name too long";
    case ELOOP: return "too many symbolic links";
    case EIO: return "input/output error";
    default: return NULL;
    }
}

ub_status ub__fail_errno(ub_context *context, const char *path,
                         const char *what, int error)
{
    const char *text = reason(error);

    if (text == NULL)
        return ub__fail(context, UB_ERR_IO, "%s: %s: error %d", path, what,
                        error);
    return ub__fail(context, UB_ERR_IO, "%s: %s: %s", path, what, text);
}

static ssize_t read_some(int fd, void *data, size_t size)
{
    ssize_t n;

    do
        n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Room for the whole file, one byte to notice its end, and the NUL. */
static size_t first_capacity(const struct stat *info, size_t limit)
{
    size_t size = FIRST_BUFFER;

    if (S_ISREG(info->st_mode) && info->st_size > 0)
        size = (size_t) info->st_size;
    return (size < limit ? size : limit) + 2;
}

static ub_status read_all(ub_context *context, const char *path, int fd,
                          size_t capacity, size_t limit, char **out_data,
                          size_t *out_size)
{
    char *data = ub__alloc(context, capacity, 1);
    size_t size = 0;
    ub_status status = UB_ERR_NOMEM;

    while (data != NULL) {
        ssize_t n = read_some(fd, data + size, capacity - 1 - size);

        if (n == 0) {
            data[size] = '\0';
            *out_data = data;
            *out_size = size;
            return UB_OK;
        }
        if (n < 0) {
            status = ub__fail_errno(context, path, "reading", errno);
            break;
        }
        size += (size_t) n;
        if (size > limit) {
            status = ub__fail(context, UB_ERR_RANGE,
                              "%s: larger than %zu bytes", path, limit);
            break;
        }
        if (size == capacity - 1) {
            size_t wanted = capacity > limit / 2 ? limit + 2 : capacity * 2;
            char *grown = ub__realloc(context, data, size, wanted, 1);

            if (grown == NULL)
                break;
            data = grown;
            capacity = wanted;
        }
    }
    ub__free(context, data);
    return status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Names one behind the other, each with its NUL. */
struct names {
    char *text;
    size_t size;
    size_t capacity;
    size_t n;
};

static ub_status add_name(ub_context *context, struct names *names,
                          const char *name)
{
    size_t length = strlen(name) + 1;

    if (names->capacity - names->size < length) {
        size_t capacity = names->capacity * 2 + length + 1024;
        char *text = ub__realloc(context, names->text, names->size, capacity,
                                 1);

        if (text == NULL)
            return UB_ERR_NOMEM;
        names->text = text;
        names->capacity = capacity;
    }
    memcpy(names->text + names->size, name, length);
    names->size += length;
    names->n++;
    return UB_OK;
}

static ub_status collect_names(ub_context *context, const char *path, DIR *dir,
                               struct names *names)
{
    for (;;) {
        struct dirent *entry;
        ub_status status;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL && errno != 0)
            return ub__fail_errno(context, path, "reading", errno);
        if (entry == NULL)
            return UB_OK;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = add_name(context, names, entry->d_name);
        if (status != UB_OK)
            return status;
    }
}

/* Pointers and text in one piece of memory, so that one free ends it. */
static char **pack_names(ub_context *context, const struct names *names)
{
    size_t table = names->n * sizeof(char *);
    char **list = ub__alloc(context, table + names->size, 1);
    char *text;

    if (list == NULL)
        return NULL;
    text = (char *) list + table;
    if (names->size > 0)
        memcpy(text, names->text, names->size);
    for (size_t i = 0; i < names->n; i++) {
        list[i] = text;
        text += strlen(text) + 1;
    }
    if (names->n > 1)
        qsort(list, names->n, sizeof *list, compare_names);
    return list;
}

ub_status ub__file_read(ub_context *context, const char *path, size_t limit,
                        void **out_data, size_t *out_size)
{
    struct stat info;
    ub_status status;
    char *data = NULL;
    int fd;

    if (limit > SIZE_MAX / 4)
        limit = SIZE_MAX / 4;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ub__fail_errno(context, path, "opening", errno);
    if (fstat(fd, &info) != 0)
        status = ub__fail_errno(context, path, "reading", errno);
    else if (S_ISDIR(info.st_mode))
        status = ub__fail_errno(context, path, "reading", EISDIR);
    else if (S_ISREG(info.st_mode) && (uintmax_t) info.st_size > limit)
        status = ub__fail(context, UB_ERR_RANGE, "%s: larger than %zu bytes",
                          path, limit);
    else
        status = read_all(context, path, fd, first_capacity(&info, limit),
                          limit, &data, out_size);
    close(fd);
    if (status == UB_OK)
        *out_data = data;
    return status;
}

int ub__file_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

int ub__is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

ub_status ub__folder_list(ub_context *context, const char *path,
                          char ***out_names, size_t *out_n)
{
    struct names names = { NULL, 0, 0, 0 };
    char **list = NULL;
    DIR *dir = opendir(path);
    ub_status status;

    if (dir == NULL)
        return ub__fail_errno(context, path, "opening", errno);
    status = collect_names(context, path, dir, &names);
    closedir(dir);
    if (status == UB_OK) {
        list = pack_names(context, &names);
        status = list == NULL ? UB_ERR_NOMEM : UB_OK;
    }
    ub__free(context, names.text);
    if (status != UB_OK)
        return status;
    *out_names = list;
    *out_n = names.n;
    return UB_OK;
}

char *ub__path_join(ub_context *context, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *slash = length == 0 || folder[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(slash) + strlen(name) + 1;
    char *path = ub__alloc(context, size, 1);

    if (path != NULL)
        snprintf(path, size, "%s%s%s", folder, slash, name);
    return path;
}
