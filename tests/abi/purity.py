# SPDX-License-Identifier: BSD-2-Clause
"""usage: purity.py LIBRARY.so

The library prints nothing, ends no process, reads no environment and keeps
no state: read from its import table and from its writable sections."""

import re
import subprocess
import sys

sys.dont_write_bytecode = True
from headers import Report  # noqa: E402

DENIED = {
    "prints": """printf vprintf puts putchar putc_unlocked perror psignal
        __printf_chk __vprintf_chk stdout stderr stdin getchar scanf""",
    "ends or forks the process": """exit _exit _Exit quick_exit abort atexit
        at_quick_exit __cxa_atexit raise kill fork vfork system popen execv
        execve execvp execl execlp posix_spawn posix_spawnp err errx warn
        warnx error error_at_line""",
    "reads or changes the environment": """getenv secure_getenv __environ
        environ setenv putenv unsetenv clearenv chdir fchdir umask""",
    "uses the process's random numbers": """rand srand rand_r random srandom
        drand48 erand48 lrand48 mrand48 srand48 arc4random getrandom""",
    "uses the C library's shared state": """strerror strtok setlocale localtime
        gmtime asctime ctime tmpnam mktemp localeconv uselocale getpwnam
        getpwuid readdir_r""",
    "handles signals": """signal sigaction bsd_signal sigprocmask
        alarm setitimer""",
}
OURS_NOT = {"completed.0", "__dso_handle", "__TMC_END__", "_edata", "_end",
            "__bss_start", "__data_start", "data_start",
            # libgcc's copy of cpuid, behind __builtin_cpu_supports()
            "__cpu_model", "__cpu_features2"}


def lines(*command):
    return subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout.splitlines()


def main():
    library = sys.argv[1]
    report = Report()
    imports = {line.split()[-1].split("@")[0]
               for line in lines("nm", "-D", "--undefined-only", library)}
    for what, names in DENIED.items():
        found = sorted(imports & set(names.split()))
        report.check(not found, f"nothing {what}", " ".join(found))

    state = []
    for line in lines("objdump", "-t", library):
        match = re.match(r"[0-9a-f]+ .{7} (\.(?:data|bss|tdata|tbss))\s+"
                         r"([0-9a-f]+)\s+(?:\.hidden )?(\S+)$", line)
        if match and int(match.group(2), 16) > 0 \
                and match.group(3) not in OURS_NOT:
            state.append(match.group(1) + " " + match.group(3))
    report.check(not state, "nothing writable is kept", "\n".join(state))

    dynamic = "\n".join(lines("readelf", "-dlW", library))
    report.check("RPATH" not in dynamic and "RUNPATH" not in dynamic,
                 "no run-time path")
    report.check("TEXTREL" not in dynamic, "no text relocations")
    report.check(re.search(r"GNU_STACK.*RWE", dynamic) is None,
                 "no executable stack")
    return report.exit_status()


sys.exit(main())
