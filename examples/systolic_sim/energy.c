/* SPDX-License-Identifier: BSD-2-Clause */
/* What a simulation of systolic_sim costs in energy and area. */
#define _POSIX_C_SOURCE 200809L

#include "systolic_sim/systolic_sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int read_energy(simulation *s)
{
    ub_status status;

    s->table.size = sizeof(s->table);
    if (ub_energy_preset(s->energy_name, &s->table) == UB_OK)
        return 1;
    if (access(s->energy_name, F_OK) != 0) {
        fprintf(stderr,
                "--energy %s: expected sosa-28nm, horowitz-45nm or a file, and "
                "there is none of that name\n",
                s->energy_name);
        return 0;
    }
    status = ub_energy_read(s->context, s->energy_name, &s->table);
    if (status != UB_OK)
        return complain(s->context, status);
    if (s->table.name[0] == '\0')
        snprintf(s->table.name, sizeof(s->table.name), "%.60s", s->energy_name);
    return 1;
}

int price(simulation *s)
{
    ub_status status = UB_OK;

    if (s->energy_name == NULL)
        return 1;
    s->energies = calloc((size_t) s->n, sizeof(*s->energies));
    if (s->energies == NULL) {
        fputs("out of memory\n", stderr);
        return 0;
    }
    for (int64_t i = 0; i < s->n && status == UB_OK; i++) {
        s->energies[i].size = sizeof(s->energies[i]);
        if (s->stats[i].cycles >= 0)
            status = ub_energy_of(&s->table, &s->hardware, &s->stats[i],
                                  &s->energies[i]);
    }
    s->energy.size = sizeof(s->energy);
    if (status == UB_OK && s->total.cycles >= 0)
        status = ub_energy_of(&s->table, &s->hardware, &s->total, &s->energy);
    if (status != UB_OK)
        fprintf(stderr, "--energy %s: %s\n", s->energy_name,
                ub_status_str(status));
    return status == UB_OK;
}

static void print_line(const char *name, const ub_energy *e)
{
    printf("%-20.20s %11.4g %11.4g %11.4g %11.4g %11.4g %11.4g %11.4g %9.3g\n",
           name, e->mac / 1e6, e->idle / 1e6, e->banks / 1e6,
           e->interconnect / 1e6, e->memory / 1e6, e->leakage / 1e6,
           e->total / 1e6, e->pj_per_mac);
}

void print_energy(const simulation *s)
{
    printf("%-20s %11s %11s %11s %11s %11s %11s %11s %9s\n", "energy, uJ",
           "MACs", "idle", "banks", "network", "memory", "leakage", "total",
           "pJ/MAC");
    for (int64_t i = 0; i < s->n; i++) {
        const char *name = "";

        if (is_shown(s, i, &name) && s->stats[i].cycles >= 0)
            print_line(name, &s->energies[i]);
    }
    if (s->total.cycles < 0)
        return;
    print_line("total", &s->energy);
    printf("by %s: %.4g W", s->table.name, s->energy.watts);
    if (s->energy.element_mm2 > 0.0)
        printf(", processing elements %.4g mm2", s->energy.element_mm2);
    if (s->energy.bank_mm2 > 0.0)
        printf(", banks %.4g mm2", s->energy.bank_mm2);
    putchar('\n');
}
