/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX-FileCopyrightText: The menshen authors */
#define _GNU_SOURCE
#include "CLinux.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int clinux_is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int clinux_terminal_columns(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int clinux_terminal_rows(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

static struct termios usual;
static volatile int crashing_terminal = -1;
static const char *volatile last_words;

/* Only what signal-safety(7) allows. */
static void restore_terminal(int number) {
    const char *words = last_words;
    if (words) (void)!write(STDOUT_FILENO, words, strlen(words));
    if (crashing_terminal >= 0) tcsetattr(crashing_terminal, TCSANOW, &usual);
    /* The action is the usual one again; it comes when this returns. */
    raise(number);
}

void clinux_restore_terminal_on_crash(int descriptor, const char *words) {
    if (tcgetattr(descriptor, &usual) == 0) crashing_terminal = descriptor;
    last_words = words;
    const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    struct sigaction action = {.sa_handler = restore_terminal, .sa_flags = SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}
