# SPDX-License-Identifier: MIT
# Completion of ioevq(1) for bash.

_ioevq_numbers()
{
	ioevq top --once --interval 0.1 2>/dev/null | awk 'NR > 2 && $1 ~ /^[0-9]+$/ { print $1 }'
}

_ioevq()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words i
	local ops="NOP POST POLL READ WRITE FSYNC CHILD CANCEL POLL_MOD CLOSE TIMER TIMER_MOD"

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "bench info run supervise top trace --help" -- "$cur")
		return
	fi
	# A program, and what it takes.
	case ${COMP_WORDS[1]} in
	run|trace)
		for ((i = 2; i < COMP_CWORD; i++)); do
			case ${COMP_WORDS[i]} in
			--pid|--queue|--op|--output)	((i++)) || true ;;
			--)	((i++)); break ;;
			-*)	;;
			*)	break ;;
			esac
		done
		if [ "$i" -lt "$COMP_CWORD" ] && declare -F _command_offset >/dev/null; then
			_command_offset "$i"
			return
		fi
		;;
	esac
	case $prev in
	--pid)		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$cur"); return ;;
	--queue)	mapfile -t COMPREPLY < <(compgen -W "$(_ioevq_numbers)" -- "$cur"); return ;;
	--op)		mapfile -t COMPREPLY < <(compgen -W "$ops" -- "${cur^^}"); return ;;
	--sort)		mapfile -t COMPREPLY < <(compgen -W "events wake-ups backlog armed number" -- "$cur"); return ;;
	--output|--log|--control)	mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--interval|--seconds|--backoff|--stop-timeout)	return ;;
	esac
	case ${COMP_WORDS[1]} in
	bench)	words="--seconds --json --help" ;;
	info)	words="--json --help" ;;
	run)	words="--epoll --aio --help" ;;
	supervise) words="--log --backoff --stop-timeout --once --check --control --status --json --help" ;;
	top)	words="--once --json --pid --interval --sort --help" ;;
	trace)	words="--pid --queue --op --output --help" ;;
	*)	return ;;
	esac
	if [[ $cur != -* ]]; then
		case ${COMP_WORDS[1]} in
		run|trace)	mapfile -t COMPREPLY < <(compgen -c -- "$cur"); return ;;
		supervise)	mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _ioevq ioevq
