#include "peer/decade/cache.hpp"

#include "protocol/ppstp/json_writer.hpp"

namespace ppsp::peer {

using ppstp::JsonWriter;

namespace {

constexpr std::size_t listed_max = 1000;

std::uint64_t to_unsigned(UnixSeconds time)
{
    return static_cast<std::uint64_t>(std::max<UnixSeconds>(time, 0));
}

void write_entry(JsonWriter& writer, ObjectTable::Entry const& entry)
{
    auto const& meta = entry.meta;
    writer.begin_object()
        .member("name", meta.name.uri())
        .member("size", meta.size)
        .member("media_type", meta.media_type)
        .member("stored", to_unsigned(meta.stored_at))
        .member("expires", to_unsigned(meta.expires));
    if (meta.chunks) {
        writer.member("swarm", to_hex(meta.swarm_id))
            .member("first", to_number(meta.chunks->first))
            .member("last", to_number(meta.chunks->last));
    }
    writer.key("access")
        .begin_object()
        .member("count", entry.reads)
        .member("last", to_unsigned(entry.last_read))
        .end_object()
        .end_object();
}

CacheReply to_reply(JsonWriter& writer, std::string_view caching)
{
    CacheReply reply;
    reply.body = writer.take() + "\n";
    reply.headers = {{"Cache-Control", std::string(caching)}, {"Access-Control-Allow-Origin", "*"}};
    return reply;
}

} // namespace

CacheReply Cache::read_index(CacheRequest const& request, ByteVector const& swarm_id,
                             UnixSeconds now)
{
    auto const lease = authorise_read(request, now);
    if (!lease) {
        return lease.error();
    }
    auto& account = (*lease)->account();
    if (!covers(account.token, {std::nullopt, swarm_id, {}})) {
        return refuse(403, "the token does not cover this channel");
    }
    auto const found = indexes_.find(swarm_id);
    if (found == indexes_.end()) {
        ++counters_.misses;
        return refuse(404, "no live index of this channel is here");
    }
    auto const tag = "\"" + std::to_string(found->second.sequence) + "\"";
    CacheReply reply;
    reply.headers = {
        {"ETag", tag},
        {"Cache-Control", options_.is_public ? "public, max-age=1" : "private, max-age=1"},
        {"Access-Control-Allow-Origin", "*"}};
    if (!request.if_none_match.empty() && matches_tag(request.if_none_match, tag)) {
        reply.status = 304;
        return reply;
    }
    reply.body = found->second.text;
    if (!account.may_transfer(reply.body.size())) {
        return refuse(429, "the token's bytes are used up");
    }
    account.bytes_used += reply.body.size();
    counters_.served_bytes += reply.body.size();
    ++counters_.hits;
    return reply;
}

CacheReply Cache::list_channel(CacheRequest const& request, ByteVector const& swarm_id,
                               UnixSeconds now)
{
    auto const lease = authorise_read(request, now);
    if (!lease) {
        return lease.error();
    }
    if (!covers((*lease)->account().token, {std::nullopt, swarm_id, {}})) {
        return refuse(403, "the token does not cover this channel");
    }
    JsonWriter writer;
    writer.begin_object().member("swarm", to_hex(swarm_id)).key("objects").begin_array();
    for (auto const* entry : table_.objects_of(swarm_id, decade::index_objects_max)) {
        write_entry(writer, *entry);
    }
    writer.end_array().end_object();
    return to_reply(writer, options_.is_public ? "public, max-age=1" : "private, max-age=1");
}

CacheReply Cache::read_attributes(CacheRequest const& request, NiName const& name, UnixSeconds now)
{
    auto const lease = authorise_read(request, now);
    if (!lease) {
        return lease.error();
    }
    auto const reached = reach(*lease, name, now);
    if (!reached) {
        return reached.error();
    }
    auto const* const entry = *reached;
    JsonWriter writer;
    write_entry(writer, *entry);
    return to_reply(writer, "no-store");
}

/// RFC 7069 §6.2.2: own objects with their properties, what is used and available, and since when
/// accesses were counted. A token that may manage the server sees everybody's.
CacheReply Cache::read_status(CacheRequest const& request, UnixSeconds now)
{
    using decade::Operation;
    auto lease = authorise(request, Operation::manage, now);
    bool const is_manager = lease.has_value();
    if (!is_manager) {
        lease = authorise(request, Operation::read, now);
    }
    if (!lease) {
        lease = authorise(request, Operation::write, now);
    }
    if (!lease) {
        return lease.error();
    }
    auto const& account = (*lease)->account();
    auto const& token = account.token;
    auto const stored = is_manager ? table_.bytes() : table_.stored_by(token.id);
    auto const stored_max =
        is_manager ? table_.bytes_max()
                   : std::min(token.stored_max.value_or(table_.bytes_max()), table_.bytes_max());
    JsonWriter writer;
    writer.begin_object().key("objects").begin_array();
    for (auto const* entry :
         table_.listed(is_manager ? std::string_view{} : token.id, listed_max)) {
        write_entry(writer, *entry);
    }
    writer.end_array()
        .key("used")
        .begin_object()
        .member("stored_bytes", stored)
        .member("transferred_bytes", account.bytes_used)
        .end_object()
        .key("available")
        .begin_object()
        .member("stored_bytes", stored_max - std::min(stored, stored_max));
    if (token.bytes_max) {
        writer.member("transferred_bytes",
                      *token.bytes_max - std::min(account.bytes_used, *token.bytes_max));
    }
    writer.end_object().member("since", to_unsigned(started_at_)).end_object();
    return to_reply(writer, "no-store");
}

std::vector<std::pair<std::string_view, std::uint64_t>> figures_of(Cache& cache)
{
    auto const& counters = cache.counters();
    auto const& table = cache.table();
    return {{"requests", counters.requests},
            {"refused", counters.refused},
            {"hits", counters.hits},
            {"misses", counters.misses},
            {"stored_objects", counters.stored},
            {"stored_bytes", counters.stored_bytes},
            {"served_bytes", counters.served_bytes},
            {"evicted_objects", counters.evicted},
            {"expired_objects", counters.expired},
            {"damaged_objects", counters.damaged},
            {"transfers", counters.transfers},
            {"held_objects", table.count()},
            {"held_bytes", table.bytes()},
            {"held_bytes_max", table.bytes_max()},
            {"held_channels", table.swarm_count()},
            {"tokens", cache.tokens().count()}};
}

} // namespace ppsp::peer
