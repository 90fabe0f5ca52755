#include "peer/decade/cache.hpp"

#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/openssl_signature.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>

namespace ppsp::peer {

using decade::Operation;

namespace {

namespace json = boost::json;

constexpr std::uint64_t order_bytes_max = 16 * 1024;

/// Signed units say whose they are; whether they are is found out here.
void inspect_units(Bytes body, integrity::Hasher& hasher, UploadFacts& facts)
{
    auto const object = decade::read_object(body);
    if (!object) {
        facts.units_problem = to_string(object.error());
        return;
    }
    integrity::OpensslChecker checker;
    auto const& head = object->head;
    if (auto const good = verify_object(*object, head.swarm_id, hasher, checker); !good) {
        facts.units_problem = to_string(good.error());
        return;
    }
    facts.swarm_id.assign(head.swarm_id.begin(), head.swarm_id.end());
    facts.chunks = head.chunks();
}

bool has_swarm_scope(decade::Token const& token)
{
    return std::any_of(token.scopes.begin(), token.scopes.end(), [](decade::Scope const& scope) {
        return std::holds_alternative<decade::SwarmScope>(scope);
    });
}

/// `type/subtype` with parameters, printable and short; else bytes are bytes.
std::string to_media_type(std::string_view text)
{
    bool const is_good = !text.empty() && text.size() <= 128 &&
                         std::all_of(text.begin(), text.end(),
                                     [](char c) { return c >= ' ' && c <= '~' && c != '"'; });
    return is_good ? std::string(text) : "application/octet-stream";
}

CacheReply too_large(std::uint64_t limit)
{
    return Cache::refuse(413, "the body may have " + std::to_string(limit) + " bytes");
}

std::string text_in(json::object const& object, char const* name)
{
    auto const* value = object.if_contains(name);
    auto const* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? std::string(text->data(), text->size()) : std::string{};
}

std::optional<Transfer::Kind> to_kind(std::string_view text)
{
    if (text == "fetch") {
        return Transfer::Kind::fetch;
    }
    return text == "store" ? std::optional(Transfer::Kind::store) : std::nullopt;
}

/// The error is a sentence.
Result<Transfer, std::string> parse_order(std::string_view body)
{
    boost::system::error_code error;
    auto const value = json::parse(json::string_view(body.data(), body.size()), error);
    auto const* object = error ? nullptr : value.if_object();
    if (object == nullptr) {
        return failure(std::string("the body has to be a JSON object"));
    }
    auto const kind = to_kind(text_in(*object, "op"));
    if (!kind) {
        return failure(std::string(R"("op" has to be "fetch" or "store")"));
    }
    auto const name = NiName::parse_uri(text_in(*object, "object"));
    if (!name || name->algorithm() != decade::NiAlgorithm::sha256) {
        return failure(std::string(R"("object" has to be a name ni:///sha-256;...)"));
    }
    auto const remote = net::parse_url(text_in(*object, "remote"));
    auto token = text_in(*object, "remote_token");
    if (!remote || remote->target != "/") {
        return failure(std::string(R"("remote" has to be a server's URL, as in http://host:7069)"));
    }
    if (token.size() > decade::token_text_size_max ||
        token.find_first_of("\r\n") != std::string::npos) {
        return failure(std::string(R"("remote_token" is no token)"));
    }
    return Transfer{*kind, *name, *remote, std::move(token), 0, nullptr, nullptr, nullptr};
}

} // namespace

UnixSeconds Cache::expiry_of(CacheRequest const& request, UnixSeconds now) const
{
    UnixSeconds seconds = 0;
    auto const text = request.expires;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    bool const is_good = error == std::errc{} && end == text.data() + text.size() && seconds > 0;
    return now + std::min(is_good ? seconds : options_.ttl_s, options_.ttl_max_s);
}

CacheAnswer Cache::begin_upload(CacheRequest const& request, Upload upload, UnixSeconds now)
{
    bool const is_order = upload.kind == Upload::Kind::transfer_order;
    auto lease = authorise(request, is_order ? Operation::transfer : Operation::write, now);
    if (!lease) {
        return lease.error();
    }
    auto const& token = (*lease)->account().token;
    if (upload.name && !may_cover(token, *upload.name)) {
        return refuse(403, "the token does not cover this object");
    }
    if (!upload.swarm_id.empty() && !covers(token, {std::nullopt, upload.swarm_id, {}})) {
        return refuse(403, "the token does not cover this channel");
    }
    upload.size_max = upload.kind == Upload::Kind::object  ? options_.object_bytes_max
                      : upload.kind == Upload::Kind::index ? decade::index_text_size_max
                                                           : order_bytes_max;
    if (request.content_length && *request.content_length > upload.size_max) {
        return too_large(upload.size_max);
    }
    if (!(*lease)->account().may_transfer(request.content_length.value_or(0))) {
        return refuse(429, "the token's bytes are used up");
    }
    upload.media_type = to_media_type(request.content_type);
    upload.expires = expiry_of(request, now);
    upload.lease = std::move(*lease);
    return upload;
}

UploadFacts Cache::inspect(Upload const& upload, Bytes body)
{
    UploadFacts facts;
    auto const hasher = integrity::make_hasher(wire::HashFunction::sha256);
    if (upload.kind == Upload::Kind::index) {
        integrity::OpensslChecker checker;
        std::string_view const text(reinterpret_cast<char const*>(body.data()), body.size());
        auto index = decade::parse_index(text, upload.swarm_id, checker);
        if (index) {
            facts.index = std::move(*index);
        } else {
            facts.index_problem = to_string(index.error());
        }
        return facts;
    }
    facts.name = NiName::of(*hasher, body);
    inspect_units(body, *hasher, facts);
    return facts;
}

std::optional<CacheReply> Cache::scope_problem(Upload const& upload, UploadFacts const& facts) const
{
    auto const& token = upload.lease->account().token;
    if (covers(token, {facts.name, facts.swarm_id, facts.chunks})) {
        return std::nullopt;
    }
    if (has_swarm_scope(token) && facts.swarm_id.empty()) {
        return refuse(403, "the token is for units of its channel only: " + facts.units_problem);
    }
    return refuse(403, "the token does not cover this object");
}

Result<ObjectMeta, CacheReply> Cache::admit(Upload const& upload, UploadFacts const& facts,
                                            std::uint64_t size, UnixSeconds now)
{
    auto& account = upload.lease->account();
    if (upload.name && *upload.name != *facts.name) {
        return failure(
            refuse(409, "the bytes do not match the name: theirs is " + facts.name->uri()));
    }
    if (auto problem = scope_problem(upload, facts)) {
        ++counters_.refused;
        return failure(std::move(*problem));
    }
    if (!account.may_transfer(size)) {
        ++counters_.refused;
        return failure(refuse(429, "the token's bytes are used up"));
    }
    auto const& limit = account.token.stored_max;
    if (limit && table_.stored_by(account.token.id) + size > *limit) {
        ++counters_.refused;
        return failure(
            refuse(429, "the token may keep " + std::to_string(*limit) + " bytes here at a time"));
    }
    auto const gone = table_.reserve(size);
    if (!gone) {
        ++counters_.refused;
        return failure(refuse(507, "the store is too small for this object"));
    }
    for (auto const& name : *gone) {
        opened_.erase(name);
        files_->remove(name, false);
        ++counters_.evicted;
    }
    account.bytes_used += size;
    return ObjectMeta{*facts.name,       size,           now,          upload.expires,
                      upload.media_type, facts.swarm_id, facts.chunks, account.token.id};
}

CacheReply Cache::finish(ObjectMeta const& meta, Result<void, StoreError> const& written,
                         UnixSeconds now)
{
    table_.release(meta.size);
    if (!written) {
        ++counters_.refused;
        return written.error() == StoreError::disk_full
                   ? refuse(507, "the disk is full; nothing was stored")
                   : refuse(500, "the disk refused the object; nothing was stored");
    }
    bool const was_there = table_.find(meta.name, now) != nullptr;
    opened_.erase(meta.name); // the file was replaced
    table_.insert(meta, true);
    ++counters_.stored;
    counters_.stored_bytes += meta.size;
    CacheReply reply;
    reply.status = was_there ? 200 : 201;
    reply.headers = {{"Location", meta.name.path()},
                     {"ETag", "\"" + meta.name.value_text() + "\""}};
    reply.body =
        R"({"object":")" + meta.name.uri() + R"(","bytes":)" + std::to_string(meta.size) + "}\n";
    return reply;
}

CacheReply Cache::finish_index(Upload const& upload, UploadFacts const& facts, std::string text)
{
    if (!facts.index) {
        return refuse(403, facts.index_problem);
    }
    auto const known = indexes_.find(upload.swarm_id);
    if (known != indexes_.end() && facts.index->sequence < known->second.sequence) {
        return refuse(409, "a newer live index is here: " + std::to_string(known->second.sequence));
    }
    if (known == indexes_.end() && indexes_.size() >= live_channels_max) {
        return refuse(507, "the store keeps the indexes of " + std::to_string(live_channels_max) +
                               " channels");
    }
    if (auto const written = files_->write_live(upload.swarm_id, text); !written) {
        return refuse(507, "the live index could not be written");
    }
    upload.lease->account().bytes_used += text.size();
    CacheReply reply;
    reply.status = known == indexes_.end() ? 201 : 204;
    indexes_[upload.swarm_id] = {facts.index->sequence, std::move(text)};
    return reply;
}

std::variant<CacheReply, Transfer> Cache::begin_transfer(Upload const& order, std::string_view body,
                                                         UnixSeconds now)
{
    auto transfer = parse_order(body);
    if (!transfer) {
        return refuse(400, transfer.error());
    }
    transfer->expires = order.expires;
    transfer->lease = order.lease;
    auto const& token = order.lease->account().token;
    if (!may_cover(token, transfer->name)) {
        return refuse(403, "the token does not cover this object");
    }
    if (transfers_now_ >= options_.transfers_max) {
        auto reply = refuse(429, "enough transfers are under way");
        reply.headers.push_back({"Retry-After", "1"});
        return reply;
    }
    if (transfer->kind == Transfer::Kind::store) {
        auto* const entry = table_.find(transfer->name, now);
        if (entry == nullptr) {
            return refuse(404, "no such object is here");
        }
        if (!covers(token, {transfer->name, entry->meta.swarm_id, entry->meta.chunks})) {
            return refuse(403, "the token does not cover this object");
        }
        transfer->object = open(entry->meta);
        if (!transfer->object) {
            forget(transfer->name);
            return refuse(404, "no such object is here");
        }
    }
    ++transfers_now_;
    ++counters_.transfers;
    transfer->slot = std::shared_ptr<void>(nullptr, [this](void*) { --transfers_now_; });
    return std::move(*transfer);
}

bool Cache::hold_upload(std::uint64_t bytes)
{
    if (bytes > options_.uploads_bytes_max - uploads_bytes_) {
        return false;
    }
    uploads_bytes_ += bytes;
    return true;
}

void Cache::release_upload(std::uint64_t bytes)
{
    uploads_bytes_ -= bytes;
}

} // namespace ppsp::peer
