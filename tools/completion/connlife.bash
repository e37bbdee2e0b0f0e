# SPDX-License-Identifier: GPL-2.0-only
# Completion of connlife's command line for bash: commands, options, and the values
# that can be known. Needs nothing but bash 4.4 or later; never runs connlife.
# shellcheck shell=bash

_connlife_commands=(life states ladder stuck hist top export check)

# Each option with what it takes: nothing, or words, or a kind of name. Where the
# values can't be guessed, "any". tests/completion holds this against --help.
declare -gA _connlife_options=(
	[-4]='' [--ipv4]='' [-6]='' [--ipv6]=''
	[-a]=any [--address]=any
	[--cgroup]=cgroup
	[-D]=any [--remoteport]=any
	[-L]=any [--localport]=any
	[--netns]=netns
	[-p]=pid [--pid]=pid
	[--json]='' # export --json FILE: see _connlife_kind
	[-s]='' [--csv]=''
	[-t]='' [--timestamp]=''
	[-T]='' [--time]=''
	[--whole]=''
	[-w]='' [--wide]=''
	[-x]='' [--extended]=''
	[--flags]=''
	[-i]=interface [--interface]=interface
	[--packets]='words auto xdp tc off'
	[--read]=file
	[--record]=file
	[--at-stop]='words remove keep'
	[--by]='words port= comm cgroup'
	[--interim]=any
	[--interval]=any
	[--older-than]=any
	[--textfile]=directory
	[--watch]=''
	[--btf]=file
	[--duration]=any
	[--keep-privileges]=''
	[--max-connections]=any
	[--ring-size]=any
	[-v]='' [--verbose]=''
	['-?']='' [--help]='' [-h]='' [--usage]=''
	[-V]='' [--version]=''
)

# _connlife_offer WORD...: those that go on from what stands there. No compgen -W: it
# would expand what is in a word, and words may be names that others chose.
_connlife_offer() {
	local word

	for word; do
		[[ $word == "$_connlife_current"* ]] && COMPREPLY+=("$(printf %q "$word")")
	done
}

# _connlife_names DIRECTORY: what lies in it
_connlife_names() {
	local path names=()

	for path in "$1"/*; do
		[[ -e $path || -L $path ]] && names+=("${path##*/}")
	done
	_connlife_offer "${names[@]}"
}

# _connlife_paths -f|-d BEFORE: files or directories; BEFORE them stands what the user
# doesn't type
_connlife_paths() {
	local path

	compopt -o filenames 2>/dev/null
	while IFS= read -r path; do
		COMPREPLY+=("${path#"$2"}")
	done < <(compgen "$1" -- "$2$_connlife_current")
}

_connlife_pids() {
	local path pids=()

	for path in /proc/[0-9]*; do
		pids+=("${path##*/}")
	done
	_connlife_offer "${pids[@]}"
}

# Paths of control groups below the mount of version 2, wherever that is.
_connlife_groups() {
	local mount type

	while read -r _ mount type _; do
		[[ $type == cgroup2 ]] || continue
		_connlife_current=/${_connlife_current#/}
		_connlife_paths -d "$mount"
		compopt -o nospace 2>/dev/null
		return
	done <"${_connlife_mounts:-/proc/self/mounts}"
}

# _connlife_values KIND: the values of an option
_connlife_values() {
	local words

	case $1 in
	words\ *)
		read -ra words <<<"${1#words }"
		_connlife_offer "${words[@]}"
		;;
	file) _connlife_paths -f '' ;;
	directory) _connlife_paths -d '' ;;
	interface) _connlife_names "${_connlife_interfaces:-/sys/class/net}" ;;
	pid) _connlife_pids ;;
	cgroup) _connlife_groups ;;
	netns)
		if [[ $_connlife_current == */* ]]; then
			_connlife_paths -f ''
		else
			_connlife_names "${_connlife_namespaces:-/run/netns}"
		fi
		;;
	esac
}

# _connlife_kind WORD: what the next word is as its value, "" for none. Short options
# stand together: of -xi the i still waits for its value, of -L80 nothing waits.
_connlife_kind() {
	local i

	_connlife_kind=
	case $1 in
	--json) [[ $_connlife_command == export ]] && _connlife_kind='file' ;;
	--*) _connlife_kind=${_connlife_options[$1]-} ;;
	-?*)
		for ((i = 1; i < ${#1}; i++)); do
			[[ -n ${_connlife_options[-${1:i:1}]-} ]] || continue
			((i == ${#1} - 1)) && _connlife_kind=${_connlife_options[-${1:i:1}]}
			return
		done
		;;
	esac
}

# Finds the command, and what the word under the cursor is the value of. With "=" among
# the characters that break words (the default), --by=comm is three of them.
_connlife_before() {
	local i word

	_connlife_command=
	_connlife_kind=
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == = && ${COMP_WORDS[i - 1]} == --* ]]; then
			_connlife_kind=${_connlife_options[${COMP_WORDS[i - 1]}]-}
		elif [[ -n $_connlife_kind ]]; then
			_connlife_kind=
		elif [[ $word == -* ]]; then
			_connlife_kind "$word"
		elif [[ -z $_connlife_command ]]; then
			_connlife_command=$word
		fi
	done
}

_connlife() {
	local _connlife_command _connlife_kind _connlife_current=${COMP_WORDS[COMP_CWORD]}

	COMPREPLY=()
	_connlife_before
	if [[ $_connlife_current == = && ${COMP_WORDS[COMP_CWORD - 1]} == --* ]]; then
		_connlife_kind=${_connlife_options[${COMP_WORDS[COMP_CWORD - 1]}]-}
		_connlife_current=
	fi
	if [[ -n $_connlife_kind ]]; then
		_connlife_values "$_connlife_kind"
	elif [[ $_connlife_current == -* ]]; then
		_connlife_offer "${!_connlife_options[@]}"
	elif [[ -z $_connlife_command ]]; then
		_connlife_offer "${_connlife_commands[@]}"
	fi
	# port= goes on
	[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
	return 0
}

complete -F _connlife connlife
