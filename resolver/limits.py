"""Every bound of the resolver, each with its reason.

Times are seconds, sizes octets unless the name says otherwise. Native takes its bounds from here
as arguments.
"""

from typing import Final

# --- One lookup -------------------------------------------------------------------------------

EXCHANGES_PER_LOOKUP: Final = 100
"""A cold lookup through four zones with nested name-server addresses needs about 30; a hundred
leaves room for loss and ends amplification (NXNSAttack) early."""

SUBLOOKUPS_PER_LOOKUP: Final = 48
"""Address lookups of name servers, A and AAAA each: a set of 13 names in full, and some below."""

DEPTH_MAX: Final = 8
"""Sub-lookups of sub-lookups: honest chains of name-server names are 2 or 3 deep."""

ALIASES_MAX: Final = 16
"""CNAME and DNAME links followed for one question; the longest seen in the wild are about 10."""

REFERRALS_MAX: Final = 40
"""Steps down for one name: a name has at most 127 labels, ip6.arpa names 34; cuts are fewer."""

LOOKUP_SECONDS: Final = 10.0
"""No client waits longer: stub resolvers give up after 2 to 3 tries of 5 seconds."""

# --- What is remembered of zones ----------------------------------------------------------------

DELEGATIONS_MAX: Final = 100_000
"""Zone cuts in memory: about 1.5 kB each."""

DELEGATION_SECONDS_MAX: Final = 86_400
"""A delegation is asked for again at least once a day."""

DELEGATION_SECONDS_MIN: Final = 10
"""A referral with a TTL of 0 is good for the lookup under way and its neighbours."""

ADDRESS_SECONDS_MIN: Final = 30
"""Name-server addresses with a smaller TTL are remembered this long for their cut, or a zone with
TTL 0 on its name servers would cost address lookups on every step."""

ROOT_RETRY_SECONDS: Final = 10.0
"""After failed priming the hints serve this long before the next try (RFC 9609 section 3.1)."""

FAILURES_MAX: Final = 65_536
"""Remembered failed questions (RFC 9520)."""

FAILURE_SECONDS_FIRST: Final = 1.0
"""First life of a cached failure: the least that RFC 9520 section 3.2 allows."""

FAILURE_SECONDS_MAX: Final = 60.0
"""Greatest life, reached by doubling; the RFC allows 300."""

NEGATIVE_SECONDS_MAX: Final = 10_800
"""Negative answers live three hours at most (RFC 2308 section 5)."""

TTL_MAX: Final = 86_400
"""Positive records live a day at most (RFC 8767 section 4 suggests a cap of days to weeks)."""

# --- Stale answers (RFC 8767) -------------------------------------------------------------------

STALE_CLIENT_SECONDS: Final = 1.8
"""Client response timer of RFC 8767 section 5: a lookup that takes longer is answered from stale
data while it goes on; just under the two seconds after which stub resolvers give up or ask anew."""

STALE_TTL: Final = 30
"""TTL of records in an answer of stale data (RFC 8767 section 4)."""

STALE_RECHECK_SECONDS: Final = 30.0
"""Failure recheck timer (RFC 8767 section 5): how long after a failure stale data are served at
once, without asking again."""

# --- QNAME minimisation (RFC 9156 section 2.3) ---------------------------------------------------

MINIMISE_COUNT_MAX: Final = 10
"""MAX_MINIMISE_COUNT of the RFC."""

MINIMISE_ONE_LABEL: Final = 4
"""MINIMISE_ONE_LAB of the RFC: the first steps show one more label each."""

# --- The scheduler --------------------------------------------------------------------------------

RESOLUTIONS_MAX: Final = 20_000
"""Resolutions under way: about 5 kB each, 100 MB when full; past it a lookup ends as SERVFAIL."""

WAITERS_MAX: Final = 1_000
"""Lookups and resolutions that wait for one resolution; past it a lookup ends as SERVFAIL."""

PAYERS_WALK_MAX: Final = 2_000
"""Nodes looked at when the payers of shared work are collected, or a cycle is looked for."""

# --- Effects: the driver, the caches' sizes apart, records, control, metrics ---------------------

TURN_MISSES: Final = 256
"""Misses that one turn of the driver takes: a turn stays near 20 ms, so that no outcome waits."""

GARBAGE_YOUNG: Final = 20_000
"""New objects after which circles among them are looked for. What a lookup leaves behind has none
and is freed at once; with Python's 700 a tenth of the time went into walking over cuts and
records again and again. So many objects are 2 MB at most."""

TURN_OUTCOMES: Final = 512
"""Outcomes that one turn of the driver takes; more than misses, so that work ends before it
starts."""

TURN_WAIT_MAX: Final = 1.0
"""Longest sleep between two turns: the clock may jump (a test's offset) without waking anyone."""

JOINERS_MAX: Final = 1_000
"""Clients that wait for one answer; past it a client gets SERVFAIL at once."""

ANSWER_FAILURE_SECONDS: Final = 1.0
"""Life of a ready SERVFAIL: the least of RFC 9520 section 3.2; the core remembers for longer."""

ANSWER_EMPTY_SECONDS: Final = 1.0
"""Life of a ready reply without any record: no TTL speaks for it (RFC 2308 section 5), and one
second is enough against a flood."""

UPSTREAM_LINGER_SECONDS: Final = 5.0
"""An upstream socket outlives its exchange by this, so that a late datagram provokes no ICMP."""

UPSTREAM_TCP_IDLE_SECONDS: Final = 5.0
"""Idle upstream streams are kept this long for the next question (RFC 7766 section 6.2.3)."""

UDP_PAYLOAD_MAX: Final = 1232
"""Greatest UDP reply to a client: what crosses every path without fragments (RFC 9715)."""

CLIENT_TCP_IDLE_SECONDS: Final = 10.0
"""Idle client streams are closed (RFC 7766 section 6.2.3: a few seconds, at the server's will)."""

DRAIN_SECONDS: Final = 5.0
"""At the end, lookups under way get this long; less than the 10 s after which orchestrators
kill."""

DRAIN_LOOK_SECONDS: Final = 0.02
"""How often the end looks whether lookups under way have ended."""

RECORDS_QUEUE_MAX: Final = 65_536
"""Records that wait for the sink: some seconds of a flood of misses, about 100 MB at worst."""

RECORDS_BATCH: Final = 1_024
"""Records handed to the sink at once."""

RECORDS_GATHER_SECONDS: Final = 0.1
"""How long the writer lets records gather: ten wake-ups a second, not one for each miss."""

CONTROL_LINE_MAX: Final = 65_536
"""Octets of one control request; a name is 255 at most, an explanation is small."""

CONTROL_CONNECTIONS_MAX: Final = 16
"""Control clients at one time: people and scripts of one machine."""

CONTROL_IDLE_SECONDS: Final = 30.0
"""A silent control client is let go."""

FAULT_LOG_SECONDS: Final = 1.0
"""Faults of the program are all counted, but told in full once a second at most: a question that
meets one can be asked a thousand times."""

# --- Policy and configuration ---------------------------------------------------------------------

LOCATIONS_MAX: Final = 65_536
"""Combinations of what all sources say whose weighing is remembered. Country files have some
thousands; with files of cities it may fill. Past it all are forgotten."""

DATABASE_OCTETS_MAX: Final = 1 << 30
"""Size of a location database. The largest country databases are below 200 MiB; anything over
this is a wrong file."""

DATABASE_PROBES: Final = 1_000
"""Networks looked at to find out whether a database speaks of countries at all."""

EVIDENCE_OCTETS_MAX: Final = 256 << 20
"""Size of a text file of evidence. The file of all five registries has 45 MiB, range files of whole
cities about 200."""

EVIDENCE_FAULTS_MAX: Final = 20
"""Bad lines of one file that are told; past it they are only counted: wrong files have millions."""

EVIDENCE_DAYS_MAX: Final = 180
"""Age of evidence that is worth a warning: registries move some percent of addresses a year."""

SHRINK_RECORDS_MIN: Final = 1_000
"""Files with fewer records may shrink as they like: they are edited by hand."""

FINDINGS_MAX: Final = 16_384
"""Proofs and claims held at once: more than the name servers that a resolver proves in an hour."""

EGRESS_SECONDS: Final = 5.0
"""How long the way to an address is remembered: routes change in seconds, questions come in
thousands a second."""

EGRESS_MAX: Final = 16_384
"""Addresses whose way is remembered; past it all are forgotten."""

CONFIG_OCTETS_MAX: Final = 8 << 20
"""Size of a configuration file; a national list of 50,000 prefixes is about 1 MiB."""

CONFIG_DEPTH_MAX: Final = 16
"""Nesting in a configuration file: deeper than any key; bounds recursion over its values."""

CONFIG_NODES_MAX: Final = 200_000
"""Values of a configuration file once aliases are followed: an alias bomb multiplies, a long list
does not."""

HINTS_OCTETS_MAX: Final = 1 << 20
"""Size of a file of root hints; today's has 3 kB."""

# --- Plans --------------------------------------------------------------------------------------

PLAN_SECONDS: Final = 6.0
"""Life of a plan: order and waits of the servers are as fresh as that."""

PLAN_RENEW_SECONDS: Final = 3.0
"""Age at which a plan in use is made anew: early enough that a busy zone always has one."""

PLANS_MAX: Final = 100_000
"""Plans that are remembered, current or not: about 1 kB each; as many as there may be cuts."""

PLANNED_PER_ZONE: Final = 4_000
"""Questions under way for names of one zone, in each thread: a server that answers in 100 ms may
get 40,000 a second; a flood under one zone leaves the rest of the room to others."""

PLANNED_PER_CLIENT: Final = 2_000
"""Questions of one client address under way, in each thread: a whole provider behind one address
translator has fewer; one flooding client leaves the rest of the room to others."""

PLANNED_BACKLOG_MAX: Final = 65_536
"""Planned lookups that Python has not been told of: some seconds of a flood. Past it misses wait
for Python like any other."""

TURN_REFRESHES: Final = 64
"""Popular answers near their end that are looked up anew in one turn: clients come first."""

# --- Places and country packs ---------------------------------------------------------------------

BORDER_MARGIN_KM: Final = 10.0
"""Taken off every distance to the border: coarse shores, quantised polygons (0.4 km), a border that
is not where the file has it."""

BORDER_MARGIN_SHARE: Final = 0.006
"""And at least this share of it: a sphere is wrong by up to 0.56 % of a distance, more than the
kilometres above once the border is 1,667 km away."""

POLYGONS_OCTETS_MAX: Final = 64 << 20
"""Size of a file of country polygons; the finest of Natural Earth has under 4 MB."""

IDENTITY_OCTETS_MAX: Final = 255
"""Length of a server's identity that is looked at: one character-string of a TXT record (RFC 1035
section 3.3); published ones have 30."""

IDENTITIES_OCTETS_MAX: Final = 4 << 20
"""Size of a file of published identities; that of all root servers has 90 kB."""

PACK_OCTETS_MAX: Final = 4 << 20
"""Size of a country pack; that of the United States has 40 kB."""

NOTE_OCTETS_MAX: Final = 65_536
"""Size of a signed note: four lines and some signatures of 150 octets each."""

CITY_UNCERTAINTY_KM: Final = 50.0
"""How far the data centres of a city may be from the airport that stands for it: Bengaluru's is
33 km from the centre, and Electronic City is another 18 beyond."""

# --- The machine ------------------------------------------------------------------------------

INTERPRETER_NICE: Final = 5
"""How far the interpreter's thread gives way to those that answer from the cache and carry out
plans, when cores are scarce: it keeps about a quarter of a core, and a flood of work for it does
not make cached answers wait."""

# --- Mirrors ------------------------------------------------------------------------------------

MIRROR_RECORDS_MAX: Final = 100_000_000
"""Records of one mirrored zone: twice the largest country zone when signed."""

MIRROR_OCTETS_MAX: Final = 8 << 30
"""Octets of one transfer or file: what so many records take; a source that goes on is cut off."""

MIRROR_SIGNATURES_MAX: Final = 100_000
"""Records up to which every signature of a zone is checked, whatever else is: some 3 seconds of
a core. In a larger zone whose signed ZONEMD covers all records, those of the apex are enough."""

MIRROR_REFRESH_MIN: Final = 60.0
"""Least gap between two looks, whatever SOA REFRESH says: a slip must not be a flood."""

MIRROR_REFRESH_MAX: Final = 86_400.0
"""Greatest gap (RFC 1912 section 2.2 advises up to 12 hours): a day-old root is news too late."""

MIRROR_RETRY_MIN: Final = 30.0
"""Least gap after a failed round, whatever SOA RETRY says; the first one without a copy."""

MIRROR_RETRY_MAX: Final = 3_600.0
"""Greatest gap after a failed round: sources that are back are found within the hour."""

MIRROR_EXPIRE_MIN: Final = 3_600.0
"""Least SOA EXPIRE that is believed: below it one failed round would end the mirror."""

MIRROR_EXPIRE_MAX: Final = 4_838_400.0
"""Greatest SOA EXPIRE that is believed: eight weeks, twice what RFC 1912 section 2.2 advises."""

MIRROR_NOTIFY_GAP: Final = 5.0
"""Least gap between refreshes that NOTIFY sets off for one zone: who repeats it gets no more."""

MIRROR_POLL_SECONDS: Final = 3.0
"""Life of one SOA query of a refresh."""

MIRROR_POLL_TRIES: Final = 3
"""SOA queries to one primary before the next is asked: at 5 % loss each way, one look in 1,000 is
in vain, where two would be one in 100, and a notice waited for until SOA RETRY."""

MIRROR_SILENCE_SECONDS: Final = 30.0
"""Longest silence within a transfer: a busy primary may read from disk."""

MIRROR_TRANSFER_SECONDS: Final = 3_600.0
"""Longest transfer: a gigabyte at 300 kB/s. A primary that drips must not hold the place."""

MIRROR_TRANSFERS_MAX: Final = 4
"""Transfers and checks under way at once: each may use a whole core."""

MIRROR_QUERIES_MAX: Final = 256
"""Queries of the mirrors under way at once, of all zones."""

MIRROR_TICK_SECONDS: Final = 1.0
"""How often the keeper looks at the clock: expiry is honoured to the second, and a clock that a
test moves is seen."""

FETCH_SECONDS: Final = 60.0
"""Longest silence of a server that a file is fetched from."""
