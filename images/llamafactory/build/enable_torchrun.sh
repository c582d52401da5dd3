#!/bin/sh
# Lets torchrun, which LLaMA-Factory starts for more than one process, work with Debian's torch.
#
# Usage: enable_torchrun.sh
set -eu

# Debian's torchrun belongs to Debian's Python, which does not know the packages of /opt/venv.
printf '#!/bin/sh\nexec /opt/venv/bin/python -m torch.distributed.run "$@"\n' >/opt/venv/bin/torchrun
chmod +x /opt/venv/bin/torchrun

# torch 2.6 is built there without libuv. USE_LIBUV=0 is torch's own way to say so, and is not asked
# in these two places. A later torch, which has neither line, is left as it is.
torch=$(python -c 'import importlib.util as i; print(i.find_spec("torch").submodule_search_locations[0])')
say_so() {
    grep -q "$2" "$torch/$1" || return 0
    sed -i "s/$2/$3/" "$torch/$1"
    python -m py_compile "$torch/$1"
}
say_so distributed/elastic/rendezvous/static_tcp_rendezvous.py \
    '^\( *\)multi_tenant=True,$' '\1multi_tenant=True, use_libuv=False,'
say_so distributed/rendezvous.py \
    '^\( *\)is_master=False,$' '\1is_master=False, use_libuv=use_libuv,'
