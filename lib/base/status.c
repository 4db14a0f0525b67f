/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <string.h>

#define LOG_LINE 1024

const char *ub_status_str(ub_status status)
{
    switch (status) {
    case UB_OK: return "UB_OK";
    case UB_ERR_INVALID: return "UB_ERR_INVALID";
    case UB_ERR_NOMEM: return "UB_ERR_NOMEM";
    case UB_ERR_SHAPE: return "UB_ERR_SHAPE";
    case UB_ERR_RANGE: return "UB_ERR_RANGE";
    case UB_ERR_IO: return "UB_ERR_IO";
    case UB_ERR_FORMAT: return "UB_ERR_FORMAT";
    case UB_ERR_UNSUPPORTED: return "UB_ERR_UNSUPPORTED";
    case UB_ERR_NUMERIC: return "UB_ERR_NUMERIC";
    case UB_ERR_INTERRUPTED: return "UB_ERR_INTERRUPTED";
    }
    return "unknown status";
}

const char *ub_context_last_error(const ub_context *context)
{
    return context == NULL ? "" : context->error;
}

/* Formats beside the old text first: it may be one of the arguments. */
ub_status ub__fail(ub_context *context, ub_status status, const char *format,
                   ...)
{
    char text[UB__ERROR_TEXT];
    va_list arguments;

    if (context == NULL)
        return status;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(context->error, text, sizeof text);
    return status;
}

ub_status ub__fail_within(ub_context *context, ub_status status,
                          const char *format, ...)
{
    char text[2 * UB__ERROR_TEXT + 2];
    va_list arguments;
    size_t length;

    if (context == NULL)
        return status;
    va_start(arguments, format);
    vsnprintf(text, UB__ERROR_TEXT, format, arguments);
    va_end(arguments);
    length = strlen(text);
    snprintf(text + length, sizeof text - length, ": %s", context->error);
    memcpy(context->error, text, UB__ERROR_TEXT - 1); /* ends in a NUL */
    return status;
}

void ub__log(ub_context *context, ub_log_level level, const char *format, ...)
{
    char line[LOG_LINE];
    va_list arguments;

    if (context == NULL || context->log == NULL ||
        (int) level > context->log_level)
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_user, level, line);
}

ub_status ub__progress(ub_context *context, ub_progress *progress)
{
    progress->size = sizeof *progress;
    if (context->progress == NULL ||
        context->progress(context->progress_user, progress) == 0)
        return UB_OK;
    return ub__fail(context, UB_ERR_INTERRUPTED,
                    "stopped by the progress callback");
}
