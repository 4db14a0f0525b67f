/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * How far the closed forms are from the simulator, level 1 with its default
 * options: |cycles / simulated cycles - 1|, by size of the map, for 10,000
 * random layers and those of the look-up table that U-Boost ships.
 *
 * usage: model_error [LOOKUP.json]
 */

#include "base/base.h"
#include "model_layers.h"

#include <stdio.h>
#include <stdlib.h>

enum { RANDOM = 10000, SEED = 1 };

typedef struct errors {
    double *values[3]; /* published, exact, smooth */
} errors;

static void print_row(const char *name, const errors *all, int64_t n)
{
    printf("%-14s %6lld", name, (long long) n);
    for (int form = 0; form < 3; form++)
        printf("  %7.4f %7.4f %7.4f", model_quantile(all->values[form], n, 0.5),
               model_quantile(all->values[form], n, 0.95),
               model_quantile(all->values[form], n, 1.0));
    printf("\n");
}

/* A class of layers; linear ones have no map. */
static void print_class(const char *name, const model_layer *layers,
                        const model_errors *found, int64_t n, int linear,
                        int64_t low, int64_t high, errors *room)
{
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++) {
        const ub_cost_layer *l = &layers[i].layer;

        if (linear >= 0 && (l->kind == UB_COST_LINEAR) != linear)
            continue;
        if (linear == 0 && (l->out_height < low || l->out_height > high))
            continue;
        room->values[0][count] = found[i].published;
        room->values[1][count] = found[i].exact;
        room->values[2][count++] = found[i].smooth;
    }
    if (count > 0)
        print_row(name, room, count);
}

static void print_table(const char *title, const model_layer *layers, int64_t n)
{
    static const struct {
        const char *name;
        int64_t low, high;
    } maps[] = { { "map 1", 1, 1 },       { "map 2-3", 2, 3 },
                 { "map 4-7", 4, 7 },     { "map 8-15", 8, 15 },
                 { "map 16-31", 16, 31 }, { "map 32-64", 32, 64 } };
    model_errors *found = calloc((size_t) n, sizeof(*found));
    errors room;

    for (int i = 0; i < 3; i++) {
        room.values[i] = calloc((size_t) n, sizeof(double));
        if (found == NULL || room.values[i] == NULL)
            exit(1);
    }
    for (int64_t i = 0; i < n; i++) {
        if (model_compare(&layers[i], &found[i]) != UB_OK)
            exit(1);
    }
    printf("%s\n%-14s %6s  %-23s  %-23s  %-23s\n", title, "", "",
           "published formula", "systolic-full", "systolic-full-smooth");
    printf("%-14s %6s", "", "layers");
    for (int i = 0; i < 3; i++)
        printf("  %7s %7s %7s", "median", "95 %", "worst");
    printf("\n");
    print_class("all", layers, found, n, -1, 0, 0, &room);
    for (int i = 0; i < 6; i++)
        print_class(maps[i].name, layers, found, n, 0, maps[i].low,
                    maps[i].high, &room);
    print_class("linear", layers, found, n, 1, 0, 0, &room);
    for (int i = 0; i < 3; i++)
        free(room.values[i]);
    free(found);
}

static int print_lookup(const char *path)
{
    ub_context *context = NULL;
    model_layer *layers = NULL;
    int64_t n = -1;

    if (ub_context_create(NULL, &context) == UB_OK)
        n = model_lookup(context, path, &layers);
    if (n > 0) {
        printf("\n");
        print_table("U-Boost's look-up table: 128 x 128, batch 1", layers, n);
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    free(layers);
    ub_context_destroy(&context);
    return n > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    model_layer *layers = calloc(RANDOM, sizeof(*layers));
    ub_rng rng;

    if (layers == NULL)
        return 1;
    ub_rng_init(&rng, SEED, 0);
    for (int i = 0; i < RANDOM; i++)
        model_random(&rng, &layers[i]);
    print_table("Random: 1 to 1024 channels, maps 1 to 64, kernels 1 to 7, "
                "arrays of 8 to 256 ways, batch 1 or 64",
                layers, RANDOM);
    free(layers);
    return argc > 1 ? print_lookup(argv[1]) : 0;
}
