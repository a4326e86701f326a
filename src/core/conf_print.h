/* conf_print: everything that is written from the tables of settings: help, manual, example, dump.
 *
 * All of it comes from the rows, so that none of it can be out of date. What is written in the form
 * of a file can be read by conf_load() again. Thread: the caller's; write errors stay in the FILE. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/conf.h"

/* The settings part of --help, at most 80 columns wide. */
void conf_write_help(FILE *out, const struct conf_room *const *rooms, size_t count);

/* The same as lists in mdoc, to be included in ringmain.conf(5). */
void conf_write_man(FILE *out, const struct conf_room *const *rooms, size_t count);

/* A file in which every setting stands with its default, behind a comment sign. */
void conf_write_example(FILE *out, const struct conf_room *const *rooms, size_t count);

/* All effective values. Secrets that are set stand as *** behind a comment sign, so that a dump that
 * is used as a file never makes *** a password; with reveal they are written out, and the dump of
 * what was loaded from a dump is the same dump. */
void conf_dump(FILE *out, const struct conf *conf, bool reveal);
