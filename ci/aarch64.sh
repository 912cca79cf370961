#!/bin/sh
# Compiles the protocols for aarch64, where ordinary loads and stores are not ordered as they are on x86-64, and looks at the
# instructions:
#
# * every line of ci/aarch64.expected has the instruction that its order needs. An instruction is tied to a line of the sources by the
#   debug information, however it was inlined;
# * the steps of a record, a seal, a rotation and an adoption stand in their order;
# * readers make acquire fences and nothing else: no acquire load, no store with release, no read-modify-write (SPEC.md D-2);
# * the hot path of a counter is load, add, store, and that of a record has the three stores with release and no other barrier, no call.
set -eu
cd "$(dirname "$0")/.."
. ci/skip.sh

target=aarch64-unknown-linux-gnu
installed aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross || skip "aarch64 code: there is no gcc-aarch64-linux-gnu"
if [ ! -d "$(rustc --print target-libdir --target $target)" ]; then
    RUSTC=$(ci/second_compiler.sh arm64) || skip "aarch64 code: no standard library for $target"
    export RUSTC
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
# A fence in a macro belongs to the line that uses the macro.
RUSTFLAGS="-C collapse-macro-debuginfo=yes" \
    cargo build --quiet --locked --release --package shmetrics-probes --bins --target $target
programs=${CARGO_TARGET_DIR:-target}/$target/release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# For each instruction that orders memory: FILE:LINE in src/ (the innermost one), FUNCTION, KIND, INSTRUCTION; in the order of addresses.
for program in protocols segment; do
    aarch64-linux-gnu-objdump --disassemble --demangle --no-show-raw-insn "$programs/$program" >"$work/$program.listing"
    awk '
        /^[0-9a-f]+ <.*>:$/ { name = $0; sub(/^[0-9a-f]+ </, "", name); sub(/>:$/, "", name); gsub(/ /, "", name) }
        !/^ +[0-9a-f]+:\t/ { next }
        { kind = "" }
        /\t(stlr|stlur)\t/ { kind = "release-store" }
        /\t(ldar|ldapr|ldapur)\t/ { kind = "acquire-load" }
        /\tdmb\tish$/ { kind = "release-fence" }
        /\tdmb\tishld$/ { kind = "acquire-fence" }
        /\tldaxr\t/ { kind = "acquire-rmw" }
        /\tstlxr\t/ { kind = "release-rmw" }
        /\tldxr\t/ { kind = "relaxed-rmw" }
        /<__aarch64_.*_relax>/ { kind = "relaxed-rmw" }
        /<__aarch64_.*_acq>/ { kind = "acquire-rmw" }
        /<__aarch64_.*_rel>/ { kind = "release-rmw" }
        /<__aarch64_.*_acq_rel>/ { kind = "acquire-rmw,release-rmw" }
        kind != "" {
            address = $1; sub(/:/, "", address)
            what = $2 == "bl" || $2 == "b" ? $NF : $2 == "dmb" ? "dmb_" $3 : $2
            print address, name, kind, what
        }
    ' "$work/$program.listing" >"$work/$program.orders"
    cut -d ' ' -f 1 "$work/$program.orders" |
        aarch64-linux-gnu-addr2line --inlines --addresses --exe "$programs/$program" |
        awk -v sources="$PWD/src/" '
            /^0x/ { if (seen++) print line; line = "-"; next }
            line == "-" && index($0, sources) == 1 { line = $1; sub(sources, "src/", line) }
            END { if (seen) print line }' >"$work/$program.lines"
    cut -d ' ' -f 2- "$work/$program.orders" | paste -d ' ' "$work/$program.lines" - >"$work/$program"
done

failed=0
fails() {
    printf 'FAILED: %s\n' "$*"
    failed=1
}

# Every line of the table; what belongs to which edge goes to $work/edges: FILE:LINE EDGE.
while read -r edge file kind text; do
    case $edge in '' | '#'*) continue ;; esac
    line=$(grep --fixed-strings --line-number "$text" "$file" | grep -v '^[0-9]*: *//' | cut -d : -f 1)
    case $line in
    '') fails "$edge: \"$text\" is not in $file" && continue ;;
    *[!0-9]*) fails "$edge: \"$text\" is on several lines of $file" && continue ;;
    esac
    echo "$file:$line $edge" >>"$work/edges"
    # Where the compiler made one instruction of two equal ones, it belongs to no line, but to the file.
    at="$file:$line"
    grep -q --fixed-strings "$at " "$work/protocols" "$work/segment" || at="$file:?"
    found=$(awk -v at="$at" '$1 == at { print $4 }' "$work/protocols" "$work/segment" | sort | uniq -c |
        awk '{ printf "%s%d × %s", separator, $1, $2; separator = ", " }')
    printf '%-18s %-14s %s\n' "$edge" "$kind" "$found"
    awk -v at="$at" -v kind="$kind" '$1 == at && index($3, kind) { found = 1 } END { exit !found }' \
        "$work/protocols" "$work/segment" || fails "$edge ($at): no $kind"
done <ci/aarch64.expected

for edge in $(grep -rhoE '(edge|fence_at)!\("[^"]+"' src/protocol | cut -d '"' -f 2); do
    grep -q "^$edge " ci/aarch64.expected || fails "$edge has no line in ci/aarch64.expected"
done

# in_order EDGE...: in every function that has the last of them, the first instructions of each stand in this order.
in_order() {
    awk -v wanted="$*" '
        NR == FNR { edge[$1] = $2; next }
        BEGIN { count = split(wanted, name, " "); for (i = 1; i <= count; i++) rank[name[i]] = i }
        ($1 in edge) && (edge[$1] in rank) {
            e = edge[$1]
            if (!(($2, e) in at)) { at[$2, e] = FNR; if (e == name[count]) functions[$2] }
        }
        END {
            for (f in functions) {
                any = 1
                for (i = 2; i <= count; i++)
                    if (!((f, name[i - 1]) in at) || at[f, name[i - 1]] >= at[f, name[i]]) { print f; exit 1 }
            }
            exit !any
        }' "$work/edges" "$work/protocols" || fails "not in this order: $*"
}
in_order record.w1 record.w2 record.w3
in_order latch.l1 latch.l3
in_order ring.q2 ring.q2_fence ring.q5
in_order adopt.incarnation adopt.fence
in_order live.r1 live.r2 live.r3 live.r4
in_order latch.r1 latch.r2
in_order ring.r2 ring.r3
in_order shared.r1 shared.r2
in_order reset.z1 reset.z4
in_order samples.k1 samples.k3
in_order samples.r1 samples.r2
in_order reset.r1 reset.r2
in_order group.j1 group.j3
in_order group.r1 group.r2
in_order group.r3 group.r4
in_order events.begin events.landed events.position
in_order events.o1 events.o3 events.o3_end
in_order flight.f2 flight.f5
in_order flight.r1 flight.r2
in_order text.d1 text.d2 text.d4 text.d5
in_order text.r1 text.r2

# The reading functions: those that have an edge of a reader.
awk '
    NR == FNR { if ($2 ~ /^(live|latch|ring|shared|gauge|reset|samples|flight|text|group)\.r[0-9]/ || $2 ~ /^events\.o[0-9]/) reader[$1]; next }
    { function_of[FNR] = $2; kind[FNR] = $3; what[FNR] = $4; if ($1 in reader) reads[$2] }
    END {
        for (i in kind) if (function_of[i] in reads && kind[i] != "acquire-fence") { print function_of[i], what[i]; found = 1 }
        for (f in reads) count++
        exit found || count < 4
    }' "$work/edges" "$work/protocols" || fails "a reader does more than acquire fences, or none was found"

# The hot path: from a function's start to its first return, along the branches that are not taken.
hot() {
    awk -v name="<segment::$1(::h[0-9a-f]+)?>:\$" '
        /^[0-9a-f]+ </ { inside = $0 ~ name }
        inside && /^ +[0-9a-f]+:\t/ { sub(/^ +[0-9a-f]+:\t/, ""); print; if (/^ret/) exit }' "$work/segment.listing"
}
for function in count_one record_one; do
    path=$(hot $function)
    barriers=$(printf '%s\n' "$path" | awk '/^(stl|lda|dmb|dsb|isb|ldx|stx|cas|swp|ldadd|bl)/ { printf "%s ", $1 }')
    echo "$function: $(printf '%s\n' "$path" | wc -l) instructions, of them: ${barriers:-no barrier}"
    case $path in *ret*) ;; *) fails "$function has no ret" ;; esac
    case $function:$barriers in
    count_one: | record_one:"stlr stlr stlr ") ;;
    *) fails "$function: a count has no barrier and no call, a record three stores with release" ;;
    esac
done
printf '%s\n' "$(hot count_one)" | awk '
    /^ldr\t/ { load = $NF; address = $0; sub(/^[^,]*, /, "", address); loaded = address }
    /^add\t.*#0x1$/ { added = loaded }
    /^str\t/ { address = $0; sub(/^[^,]*, /, "", address); if (added != "" && address == added) found = 1 }
    END { exit !found }' || fails "count_one: no load, add, store of one word"

if [ "$failed" = 0 ]; then
    echo "aarch64: every order of SPEC.md is in the code"
fi
exit "$failed"
