/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <pthread.h>

struct ub__background {
    ub_context *context;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* fn or stop; both sides wait on it */
    void (*fn)(void *);     /* NULL when idle */
    void *arg;
    int stop;
};

static void *background_main(void *arg)
{
    ub__background *self = arg;

    pthread_mutex_lock(&self->mutex);
    for (;;) {
        while (self->fn == NULL && !self->stop)
            pthread_cond_wait(&self->changed, &self->mutex);
        if (self->fn == NULL)
            break;
        pthread_mutex_unlock(&self->mutex);
        self->fn(self->arg);
        pthread_mutex_lock(&self->mutex);
        self->fn = NULL;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
    return NULL;
}

ub_status ub__background_create(ub_context *context, ub__background **out)
{
    ub__background *self = ub__calloc(context, 1, sizeof *self);

    if (self == NULL)
        return UB_ERR_NOMEM;
    self->context = context;
    if (pthread_mutex_init(&self->mutex, NULL) != 0)
        goto fail_mutex;
    if (pthread_cond_init(&self->changed, NULL) != 0)
        goto fail_changed;
    if (!ub__thread_start(&self->thread, background_main, self))
        goto fail_thread;
    *out = self;
    return UB_OK;

fail_thread:
    pthread_cond_destroy(&self->changed);
fail_changed:
    pthread_mutex_destroy(&self->mutex);
fail_mutex:
    ub__free(context, self);
    return ub__fail(context, UB_ERR_NOMEM, "cannot start a background thread");
}

void ub__background_destroy(ub__background **background)
{
    ub__background *self;

    if (background == NULL || *background == NULL)
        return;
    self = *background;
    *background = NULL;
    pthread_mutex_lock(&self->mutex);
    self->stop = 1;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->mutex);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->mutex);
    ub__free(self->context, self);
}

void ub__background_start(ub__background *background, void (*fn)(void *),
                          void *arg)
{
    pthread_mutex_lock(&background->mutex);
    while (background->fn != NULL)
        pthread_cond_wait(&background->changed, &background->mutex);
    background->fn = fn;
    background->arg = arg;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
}

void ub__background_wait(ub__background *background)
{
    pthread_mutex_lock(&background->mutex);
    while (background->fn != NULL)
        pthread_cond_wait(&background->changed, &background->mutex);
    pthread_mutex_unlock(&background->mutex);
}
