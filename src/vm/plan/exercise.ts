// SPDX-License-Identifier: GPL-3.0-or-later
// What makes a kernel run the functions that a live patch replaces, where nobody says how: programs for the guest, the
// ones that are about the patched parts of the kernel first. Each is bounded in time, and small enough for the guest's
// memory.
import type { Subject } from './subject.ts'

export interface Exercise {
  readonly name: string
  /** A script for the guest's shell. */
  readonly script: string
}

/** What the guest has for exercises. */
export interface Equipment {
  readonly stressNg: boolean
  /** Whether it has the program of `guest/`. */
  readonly calls: boolean
  /** Where the patched file system is mounted, if one is. */
  readonly mount?: string
}

interface Area extends Exercise {
  /** Source files that are its own. */
  readonly about: RegExp
  /** Modules of the kernel that it uses. */
  readonly modules?: readonly string[]
}

/** One run of stress-ng: these stressors side by side. */
function stress(seconds: number, stressors: string, more = ''): string {
  const each = stressors.trim().split(/\s+/)
  const words = each.map((name) => `--${name} 1`).join(' ')
  return `stress-ng --timeout ${seconds} --quiet --oom-avoid --temp-path . ${words} ${more} 2>/dev/null`
}

/** Reads all files below some directories; those that wait for something are left after a while. */
const read = (where: string, not: string) =>
  `find ${where} -type f -perm /444 ${not} 2>/dev/null | xargs -n 20 timeout 3 cat >/dev/null 2>&1`

/** The schedulers of the kernel's load balancer. */
const balancers = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq'].map((name) => `ip_vs_${name}`)

/** Modules that give the sockets of the kernel's cryptography something to do. */
const ciphers = [
  'aesni_intel',
  'ecb',
  'cbc',
  'ctr',
  'ccm',
  // Without it gcm has nothing to hash with.
  'ghash_generic',
  'gcm',
  'chacha20poly1305',
  'sha256_generic',
]

const areas: readonly Area[] = [
  {
    name: 'read /proc',
    about: /^fs\/(proc|seq_file)|^mm\/vmstat/,
    script: read('/proc', '-maxdepth 1 ! -name kmsg ! -name kcore ! -name "kpage*"'),
  },
  {
    name: 'read below /proc and /sys',
    about: /^fs\/(proc|sysfs|kernfs|seq_file)|^kernel\/(ksysfs|sysctl)|^mm\/vmstat|^drivers\/base/,
    script: `${read('/proc/self/ /proc/1/', "! -path '*/task/*' ! -path '*/attr/*' ! -name mem ! -name pagemap")}
${read('/proc', "-mindepth 2 ! -path '/proc/[0-9]*' ! -path '/proc/irq/*'")}
${read('/sys', "! -path '*/tracing/*' ! -path '/sys/kernel/debug/*' ! -path '/sys/kernel/slab/*' ! -path '/sys/module/*' ! -path '/sys/devices/system/memory/*'")}`,
  },
  {
    name: 'files and directories',
    about: /^fs\/|^security\/|^block\/|^mm\/(filemap|shmem|page-writeback|readahead|truncate)|^io_uring\//,
    script: `calls io_uring
${stress(4, 'access chmod chown copy-file dentry dir dup fallocate fcntl file-ioctl filename flock getdent hdd', '--hdd-bytes 2M')}
${stress(4, 'inotify lease link locka lockf lockofd mknod open readahead rename seek sendfile splice symlink tee touch utime xattr fiemap fpunch fstat aio io-uring dnotify handle iomix', '--iomix-bytes 2M --aio-requests 4 --seek-size 1M --fiemap-bytes 1M --readahead-bytes 2M')}
mkdir d; echo x >d/f; mv d e; ln e/f g; cat e/f; dd if=/dev/zero of=h bs=64k count=32 conv=fsync; truncate -s 1000 h; ls -lR; df .; sync; rm -rf e g h`,
  },
  {
    name: 'mounts and namespaces',
    about:
      /^fs\/(namespace|mount|super|fs_|overlayfs|ext4|xfs|btrfs|fat|exfat|nfs|autofs|mbcache|dcache|inode)|^kernel\/(nsproxy|pid_namespace|user_namespace|utsname|time\/namespace)|^security\/landlock/,
    modules: ['overlay', 'loop', 'ext4', 'vfat', 'fuse', 'autofs4'],
    script: `mkdir a b c m
for type in tmpfs ramfs proc sysfs devpts mqueue hugetlbfs bpf binfmt_misc securityfs configfs pstore; do
  mount -t $type none m && { ls m; df m; umount m; }
done
mount -t tmpfs -o size=48m none c && mkdir c/lower c/upper c/work && echo x >c/lower/f && mkdir c/lower/d
modprobe overlay
mount -t overlay -o lowerdir=c/lower,upperdir=c/upper,workdir=c/work none m && {
  cat m/f; echo y >>m/f; chmod 600 m/f; mv m/f m/g; rmdir m/d; mkdir m/d; ln m/g m/h; rm m/g m/h; ls -l m; cd m
${stress(1, 'copy-file xattr')}
  cd ..; umount m; }
umount c
modprobe loop
dd if=/dev/zero of=disk bs=1M count=8
mke2fs -F disk
for type in ext4 ext2; do
  mount -t $type -o loop disk m && {
    echo x >m/f; mkdir m/d; ls -l m; cd m
${stress(1, 'chattr file-ioctl fiemap xattr rename', '--fiemap-bytes 1M')}
  cd ..; mount -o remount,ro m; umount m; }
done
rm disk
modprobe autofs4; mkfifo pipe; exec 7<>pipe
# Somebody of another process group makes the kernel ask for a mount, and nobody answers.
mount -t autofs -o fd=7,minproto=5,maxproto=5,indirect none m && { setsid timeout -s KILL 1 ls m/x; umount -l m; }
exec 7>&-
echo 'monotonic 1 0' >/proc/self/timens_offsets
mount -o bind a b; mount --make-rshared b; umount b
unshare -m -u -i -n -p -f sh -c 'mount -t proc none /proc; hostname x; ip link set lo up; ps'
unshare -U -r id
unshare -n ip addr
${stress(3, 'bind-mount chroot umount unshare ramfs landlock chdir')}`,
  },
  {
    name: 'memory',
    about: /^mm\/|^fs\/(userfaultfd|hugetlbfs|exec)|^arch\/x86\/mm|^kernel\/fork/,
    script: `echo 8 >/proc/sys/vm/nr_hugepages
echo always >/sys/kernel/mm/transparent_hugepage/enabled
calls huge-pages
${stress(4, 'brk madvise mincore mlock mlockmany mmap mmapaddr mmapfixed mmapfork mmaphuge mprotect mremap msync munmap', '--mmap-bytes 4M --mremap-bytes 4M --mmaphuge-mmaps 2 --msync-bytes 2M --mlockmany-procs 2')}
${stress(4, 'vm vm-addr vm-rw vm-splice shm shm-sysv memfd stack tmpfs userfaultfd numa pagemove remap rmap tlb-shootdown', '--vm-bytes 16M --shm-bytes 2M --shm-sysv-bytes 2M --memfd-bytes 4M --tmpfs-mmap-file --vm-rw-bytes 2M --vm-splice-bytes 1M')}
${stress(2, 'secretmem swap fork clone exec pageswap')}
echo 1 >/proc/sys/vm/compact_memory; echo 3 >/proc/sys/vm/drop_caches; echo 0 >/proc/sys/vm/nr_hugepages
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled`,
  },
  {
    name: 'processes, signals and scheduling',
    about:
      /^kernel\/(sched|signal|fork|exit|ptrace|futex|locking|pid|sys|cpu|workqueue|kthread|task)|^fs\/(exec|coredump|signalfd|pipe)|^arch\/x86\/kernel/,
    script: `${stress(3, 'affinity clone close context daemon eventfd exec exit-group fork futex kill nice poll pthread schedpolicy session')}
${stress(3, 'sigabrt sigchld sigfd sigfpe sigio signal sigpending sigpipe sigq sigrt sigsegv sigsuspend sigtrap sleep spawn switch vfork wait yield zombie ptrace pidfd membarrier personality getrandom kcmp rseq seccomp mutex cyclic', '--cyclic-policy rr')}
chrt -r 1 true; chrt -f 1 true; taskset 1 true; nice true; sh -c 'ulimit -c unlimited; kill -SEGV $$'
true | cat; sleep 1 & kill -STOP $!; kill -CONT $!; kill $!; wait`,
  },
  {
    name: 'communication of processes',
    about: /^ipc\/|^fs\/(pipe|eventfd|eventpoll|fcntl|splice)/,
    script: stress(
      3,
      'epoll eventfd fifo mq msg pipe poll sem sem-sysv shm shm-sysv sigpipe splice tee vm-splice ring-pipe',
      '--shm-bytes 2M --shm-sysv-bytes 2M --vm-splice-bytes 1M',
    ),
  },
  {
    name: 'sockets and network devices',
    about: /^net\/|^drivers\/net\/|^security\/selinux\/net/,
    modules: [
      ...[
        'dummy',
        'veth',
        'bridge',
        '8021q',
        'vxlan',
        'macvlan',
        'ipvlan',
        'tun',
        'bonding',
        'ifb',
        'sctp',
        'dccp_ipv4',
      ],
      ...[
        'sit',
        'ip_gre',
        'ip6_tunnel',
        'ipip',
        'vrf',
        'wireguard',
        'af_packet',
        'ipv6',
        'tls',
        'kcm',
        'sch_fq',
        'sch_netem',
      ],
      ...['ip_vs', ...balancers],
    ],
    script: `ip link set lo up
for name in ${ciphers.join(' ')} tls kcm ip_vs ${balancers.join(' ')}; do modprobe $name; done
for name in seg6 rpl_seg; do echo 1 >/proc/sys/net/ipv6/conf/all/\${name}_enabled; echo 1 >/proc/sys/net/ipv6/conf/lo/\${name}_enabled; done
calls tls kcm socket-maps flow-labels routing-headers virtual-servers
# Busybox does not name the other end of a pair.
other() { end=$(grep -lx "$(cat /sys/class/net/$1/iflink)" /sys/class/net/*/ifindex); end=\${end%/ifindex}; ip link set \${end##*/} name $2; }
ip link add d0 type dummy; ip addr add 10.9.0.1/24 dev d0; ip -6 addr add fd00:9::1/64 dev d0; ip link set d0 up
ip link add v0 type veth; other v0 v1; ip addr add 10.8.0.1/24 dev v0; ip link set v0 up; ip link set v1 up
ip link add b0 type bridge; ip link set v1 master b0; ip link set b0 up
ip link add link v0 name v0.5 type vlan id 5; ip addr add 10.7.0.1/24 dev v0.5; ip link set v0.5 up
ip link add x0 type vxlan id 9 dev v0 dstport 4789 group 239.9.9.9; ip link set x0 up
for type in macvlan ipvlan; do ip link add link d0 name $type type $type; ip link set $type up; done
for type in vrf ifb bond; do ip link add $type type $type; ip link set $type up; done
ip tunnel add t0 mode ipip remote 10.8.0.2 local 10.8.0.1; ip link set t0 up
ip route add 10.6.0.0/24 via 10.9.0.2; ip rule add from 10.9.0.1 lookup main; ip route; ip -6 route; ip neigh; ip -s link
ping -c 2 -i 0.2 -W 1 127.0.0.1; ping -6 -c 1 -W 1 ::1; ping -c 1 -W 1 10.8.0.2; ping -c 1 -W 1 10.7.0.2; arping -c 1 -w 1 -I v0 10.8.0.9
${stress(4, 'dccp epoll icmp-flood netdev ping-sock rawpkt rawsock rawudp sctp sock sockabuse sockdiag sockfd sockmany sockpair tun udp netlink-proc netlink-task', '--sock-opts random --sock-type stream')}
mkdir www; echo x >www/f; httpd -h www -p 127.0.0.1:8080; wget -q -O - http://127.0.0.1:8080/f; nc -w 1 127.0.0.1 8080 </dev/null
unshare -n sleep 20 & peer=$!; usleep 200000
there() { nsenter -t $peer -n "$@"; }
ip link add p0 type veth; other p0 p1; ip link set p1 netns $peer; there ip link set lo up
for side in 1 2; do
  [ $side = 1 ] && run= || run=there
  $run ip addr add 10.5.0.$side/24 dev p$((side - 1)); $run ip -6 addr add fd00:5::$side/64 dev p$((side - 1))
  $run ip link set p$((side - 1)) up
  $run ip link add link p$((side - 1)) name p.5 type vlan id 5; $run ip addr add 10.4.0.$side/24 dev p.5; $run ip link set p.5 up
  $run ip link add px type vxlan id 8 dev p$((side - 1)) dstport 4789 group 239.9.9.8
  $run ip addr add 10.3.0.$side/24 dev px; $run ip link set px up
done
usleep 500000; there httpd -h www -p 8080
for to in 10.5.0.2 10.4.0.2 10.3.0.2; do ping -c 2 -i 0.2 -W 1 $to; timeout 3 wget -q -O - http://$to:8080/f; done
ping -6 -c 1 -W 2 fd00:5::2; traceroute -w 1 -q 1 -m 2 10.5.0.2; kill $peer; ip link del px; ip link del p0
ip link set v0 mtu 1400; ip link set v0 down; ip rule del from 10.9.0.1
for name in t0 x0 v0.5 v0 b0 macvlan ipvlan vrf ifb bond d0; do ip link del $name; done`,
  },
  {
    name: 'timers and clocks',
    about: /^kernel\/time\/|^fs\/timerfd|^drivers\/(clocksource|rtc)/,
    script: `${stress(3, 'alarm clock hrtimers itimer nanosleep sleep timer timerfd rtc')}
usleep 1000; date; adjtimex`,
  },
  {
    name: 'tracing and probes',
    about: /^kernel\/(trace|events|kprobes|bpf|livepatch|module|jump_label)|^lib\/(test|dump)/,
    script: `calls bpf
t=/sys/kernel/tracing/instances/exercise
mkdir $t
# All functions at once would keep an emulated processor too long.
echo 'vfs_*' >$t/set_ftrace_filter
for tracer in function nop; do echo $tracer >$t/current_tracer; usleep 200000; done
echo 1 >$t/events/sched/enable; echo 1 >$t/events/syscalls/enable; usleep 300000; head -n 200 $t/trace
echo 0 >$t/events/enable; cat $t/available_tracers $t/trace_clock $t/set_event; rmdir $t
k=/sys/kernel/tracing/kprobe_events
echo 'p:exercise/e vfs_read' >>$k; echo 1 >/sys/kernel/tracing/events/exercise/e/enable; cat /proc/version
echo 0 >/sys/kernel/tracing/events/exercise/e/enable; echo '-:exercise/e' >>$k
# Behind the entry, side by side; the kernel takes those that are on an instruction.
for at in 5 6 7 8 9 10 11 12 13 14 15 16; do
  echo "p:exercise/o$at vfs_read+$at" >>$k && echo 1 >/sys/kernel/tracing/events/exercise/o$at/enable
done
cat /proc/version; cat /sys/kernel/debug/kprobes/list
echo 0 >/sys/kernel/tracing/events/exercise/enable
for at in 5 6 7 8 9 10 11 12 13 14 15 16; do echo "-:exercise/o$at" >>$k; done
${stress(2, 'uprobe', '--perf')}
${stress(1, 'cpu', '--perf')}`,
  },
  {
    name: 'devices and terminals',
    about: /^drivers\/|^sound\/|^block\//,
    modules: ['loop', 'null_blk', 'brd', 'zram', 'dm_mod', 'raid1', 'raid456', 'nvme', 'tun', 'sd_mod', 'scsi_debug'],
    script: `for device in null zero full random urandom rtc0 hpet kmsg tty tty0 tty1 ptmx vcs vcs1 vcsa1 vda loop0 cpu/0/msr cpu/0/cpuid; do
  [ -e /dev/$device ] && timeout 1 dd if=/dev/$device of=/dev/null bs=512 count=2
done
for console in tty1 vcs1; do [ -c /dev/$console ] && printf 'hello\\033[2J\\033[31mred\\t' >/dev/$console; done
openvt -c 8 true; chvt 1
modprobe loop; modprobe null_blk nr_devices=1; modprobe brd rd_nr=1 rd_size=4096; modprobe zram
modprobe sd_mod; modprobe scsi_debug dev_size_mb=8 lbpws=1 lbpws10=1; usleep 500000
dd if=/dev/zero of=disk bs=1M count=4; loop=$(losetup -f); losetup $loop disk
for device in $loop /dev/nullb0 /dev/ram0 /dev/vda /dev/sda; do
  [ -b $device ] && { dd if=$device of=/dev/null bs=4k count=64; blockdev --getsize64 $device; blockdev --flushbufs $device; }
done
[ -b /dev/nullb0 ] && dd if=/dev/zero of=/dev/nullb0 bs=4k count=64 conv=fsync
# It is scsi_debug's only where no other module brought one.
[ -b /dev/sda ] && grep -q scsi_debug /sys/block/sda/device/model && {
  dd if=/dev/zero of=/dev/sda bs=64k count=16 conv=fsync; blkdiscard -o 0 -l 65536 /dev/sda; echo 1 >/sys/block/sda/device/rescan; }
losetup -d $loop; rm disk; echo 4M >/sys/block/zram0/disksize; mkswap /dev/zram0; swapon /dev/zram0; swapoff /dev/zram0
${stress(3, 'dev full loop null pty rawdev urandom zero')}
modprobe -r null_blk; modprobe -r brd; modprobe -r zram; modprobe -r scsi_debug`,
  },
  {
    name: 'keys, cryptography and access control',
    about: /^security\/|^crypto\/|^lib\/(crypto|mpi)|^arch\/x86\/crypto|^kernel\/(audit|cred|seccomp|capability)/,
    modules: ['af_alg', 'algif_hash', 'algif_skcipher', 'algif_aead', 'algif_rng', ...ciphers],
    script: `for name in ${ciphers.join(' ')} algif_hash algif_skcipher algif_aead algif_rng; do modprobe $name; done
calls keys cryptography audit
${stress(4, 'af-alg key cap seccomp landlock apparmor get getrandom set')}
cat /proc/keys /proc/key-users /proc/crypto`,
  },
  {
    name: 'control groups',
    about: /^kernel\/(cgroup|sched)|^mm\/(memcontrol|hugetlb_cgroup)|^block\/blk-cg|^net\/core\/netc/,
    script: `mkdir g; mount -t cgroup2 none g
for name in $(cat g/cgroup.controllers); do echo +$name >g/cgroup.subtree_control; done
mkdir g/x g/x/y; sh -c 'echo 0 >g/x/y/cgroup.procs; echo $$; sleep 0; (true); cat g/x/y/cgroup.procs' 
echo 20M >g/x/memory.max; echo '10000 100000' >g/x/cpu.max; echo 1 >g/x/cgroup.freeze; echo 0 >g/x/cgroup.freeze
cat g/x/*; sleep 5 & echo $! >g/x/cgroup.procs; echo 1 >g/x/cgroup.kill; wait
rmdir g/x/y g/x; umount g`,
  },
  {
    name: 'system calls',
    about: /^(kernel|lib|init|virt)\//,
    script: stress(4, 'syscall enosys sysinfo sysbadaddr getdent x86syscall vdso close bad-ioctl env dynlib opcode'),
  },
]

/** The sources of what a live patch replaces; a module's name says something as well. */
function sourcesOf({ manifest }: Subject): string[] {
  return [...new Set((manifest?.objects ?? []).flatMap(({ functions }) => functions.map(({ unit }) => unit)))]
}

function chosen(subject: Subject): Area[] {
  const sources = sourcesOf(subject)
  const own = areas.filter(({ about }) => sources.some((source) => about.test(source)))
  return [...own, ...areas.filter((area) => !own.includes(area))]
}

/** What to do in the guest so that what `subject` replaces runs: first what is about its sources. */
export function exercisesFor(subject: Subject, { stressNg, calls, mount }: Equipment): Exercise[] {
  return chosen(subject).map(({ name, script }) => ({
    name,
    script: [
      ...(mount === undefined ? [] : [`cd ${mount}`]),
      ...script
        .split('\n')
        .filter((line) => (stressNg || !line.startsWith('stress-ng ')) && (calls || !line.startsWith('calls '))),
      '',
    ].join('\n'),
  }))
}

/** The kernel's modules that the exercises use, as far as it has them. */
export function exerciseModules(): string[] {
  return [...new Set(areas.flatMap(({ modules = [] }) => modules))]
}

/** File systems whose sources a live patch changes: names as in `fs/NAME/`. */
export function patchedFileSystems(subject: Subject): string[] {
  return [...new Set(sourcesOf(subject).flatMap((source) => /^fs\/(\w+)\//.exec(source)?.[1] ?? []))]
}
