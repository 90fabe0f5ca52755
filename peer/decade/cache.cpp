#include "peer/decade/cache.hpp"

#include "protocol/integrity/openssl_signature.hpp"
#include "protocol/ppstp/json_writer.hpp"

#include <algorithm>
#include <charconv>

namespace ppsp::peer {

using decade::Operation;
using decade::TokenError;

namespace {

constexpr std::string_view objects_path = "/decade/v1/objects";
constexpr std::string_view live_prefix = "/decade/v1/live/";
constexpr std::string_view tokens_prefix = "/decade/v1/tokens/";

/// A query says nothing here, and what a proxy does with it is its own affair.
std::string_view path_of(std::string_view target)
{
    return target.substr(0, target.find('?'));
}

std::string_view bearer_of(std::string_view authorization)
{
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() < scheme.size()) {
        return {};
    }
    bool const is_bearer =
        std::equal(scheme.begin(), scheme.end(), authorization.begin(), [](char want, char have) {
            return want == have || (have >= 'A' && have <= 'Z' && want == have - 'A' + 'a');
        });
    return is_bearer ? authorization.substr(scheme.size()) : std::string_view{};
}

CacheReply unauthorised(std::string_view reason)
{
    auto reply = Cache::refuse(401, reason);
    reply.headers.push_back({"WWW-Authenticate", R"(Bearer realm="ppsp-cache")"});
    return reply;
}

CacheReply wrong_method(std::string allowed)
{
    auto reply = Cache::refuse(405, "allowed here: " + allowed);
    reply.headers.push_back({"Allow", std::move(allowed)});
    return reply;
}

CacheReply not_found()
{
    return Cache::refuse(404, "there is nothing under this path");
}

std::optional<ByteVector> to_swarm_id(std::string_view hex)
{
    // One path per channel: lower-case hex of an elliptic curve's key.
    if (hex.size() > 2 * Cache::live_swarm_size_max ||
        hex.find_first_of("ABCDEF") != std::string_view::npos) {
        return std::nullopt;
    }
    auto id = from_hex(hex);
    return id && integrity::algorithm_of(*id) ? id : std::nullopt;
}

bool is_read(CacheRequest const& request)
{
    return request.method == "GET" || request.method == "HEAD";
}

} // namespace

std::uint32_t weight_of(decade::Priority priority)
{
    return 1U << static_cast<unsigned>(priority);
}

CacheReply Cache::refuse(unsigned status, std::string_view reason)
{
    CacheReply reply;
    reply.status = status;
    ppstp::JsonWriter writer;
    writer.begin_object().member("error", reason).end_object();
    reply.body = writer.take() + "\n";
    reply.headers.push_back({"Cache-Control", "no-store"});
    return reply;
}

Cache::Cache(CacheOptions options, std::unique_ptr<ObjectFiles> files, ByteVector server_id,
             integrity::Checker& checker, UnixSeconds now)
    : options_(std::move(options)), files_(std::move(files)), table_(options_.bytes_max),
      tokens_(std::move(server_id), options_.url, checker), checker_(checker),
      public_account_(std::make_shared<TokenAccount>()), started_at_(now)
{
    public_account_->token.priority = decade::Priority::low;
    public_account_->token.operations.add(Operation::read);
    load(now);
}

void Cache::load(UnixSeconds now)
{
    auto found = files_->scan(now);
    std::sort(found.begin(), found.end(),
              [](auto const& left, auto const& right) { return left.stored_at < right.stored_at; });
    for (auto& meta : found) {
        table_.insert(std::move(meta), false);
    }
    if (auto const excess = table_.reserve(0)) { // the limit may be lower than last time
        for (auto const& name : *excess) {
            files_->remove(name, false);
        }
    }
    load_indexes();
    tokens_.restore(files_->read_accounts());
    tokens_.expire(now);
    accounts_written_ = tokens_.revision();
}

void Cache::load_indexes()
{
    for (auto& [hex, text] : files_->read_live(decade::index_text_size_max)) {
        auto const swarm_id = to_swarm_id(hex);
        if (!swarm_id || indexes_.size() >= live_channels_max) {
            continue;
        }
        if (auto const index = decade::parse_index(text, *swarm_id, checker_)) {
            indexes_[*swarm_id] = {index->sequence, std::move(text)};
        } else {
            files_->remove_live(*swarm_id);
        }
    }
}

CacheAnswer Cache::handle(CacheRequest const& request, UnixSeconds now)
{
    ++counters_.requests;
    auto const path = path_of(request.target);
    CacheAnswer answer = not_found();
    if (path.starts_with(decade::well_known_prefix)) {
        answer = handle_named(request, path, now);
    } else if (path.starts_with(live_prefix)) {
        answer = handle_live(request, path.substr(live_prefix.size()), now);
    } else if (path.starts_with(objects_path)) {
        answer = handle_object_calls(request, path.substr(objects_path.size()), now);
    } else if (path == "/decade/v1/transfers") {
        Upload upload;
        upload.kind = Upload::Kind::transfer_order;
        answer = request.method == "POST" ? begin_upload(request, std::move(upload), now)
                                          : CacheAnswer(wrong_method("POST"));
    } else if (path == "/decade/v1/status") {
        answer = is_read(request) ? read_status(request, now) : wrong_method("GET, HEAD");
    } else if (path.starts_with(tokens_prefix)) {
        answer = request.method == "DELETE"
                     ? revoke(request, path.substr(tokens_prefix.size()), now)
                     : wrong_method("DELETE");
    }
    auto const* reply = std::get_if<CacheReply>(&answer);
    bool const is_admitted =
        reply != nullptr ? reply->status < 400 : std::holds_alternative<Upload>(answer);
    if (admitted_ && is_admitted) {
        admitted_->is_used = true;
    }
    admitted_.reset();
    if (reply != nullptr) {
        counters_.refused += reply->status == 401 || reply->status == 403 || reply->status == 429 ||
                                     reply->status == 507
                                 ? 1
                                 : 0;
    }
    return answer;
}

Result<Lease, CacheReply> Cache::authorise(CacheRequest const& request, Operation operation,
                                           UnixSeconds now)
{
    auto const text = bearer_of(request.authorization);
    if (text.empty()) {
        return failure(unauthorised("a token is needed: Authorization: Bearer TOKEN"));
    }
    auto const account = tokens_.admit(text, now);
    if (!account) {
        return failure(unauthorised(to_string(account.error())));
    }
    auto const& token = (*account)->token;
    if (!token.operations.has(operation)) {
        return failure(
            refuse(403, "the token does not allow to " + std::string(to_string(operation))));
    }
    if (token.requests_max && (*account)->requests_now >= *token.requests_max) {
        auto reply = refuse(429, "the token allows " + std::to_string(*token.requests_max) +
                                     " requests at a time");
        reply.headers.push_back({"Retry-After", "1"});
        return failure(std::move(reply));
    }
    admitted_ = *account;
    return std::make_shared<TokenLease>(*account);
}

Result<Lease, CacheReply> Cache::authorise_read(CacheRequest const& request, UnixSeconds now)
{
    if (options_.is_public && request.authorization.empty()) {
        return std::make_shared<TokenLease>(public_account_);
    }
    return authorise(request, Operation::read, now);
}

CacheAnswer Cache::handle_named(CacheRequest const& request, std::string_view path, UnixSeconds now)
{
    auto const name = NiName::parse_path(path);
    if (!name || name->algorithm() != decade::NiAlgorithm::sha256) {
        return refuse(404, "this is no /.well-known/ni/sha-256/ name (RFC 6920)");
    }
    if (is_read(request)) {
        return read(request, *name, false, now);
    }
    if (request.method == "PUT") {
        Upload upload;
        upload.name = name;
        return begin_upload(request, std::move(upload), now);
    }
    return request.method == "DELETE" ? remove(request, *name, now)
                                      : wrong_method("GET, HEAD, PUT, DELETE");
}

CacheAnswer Cache::handle_object_calls(CacheRequest const& request, std::string_view rest,
                                       UnixSeconds now)
{
    constexpr std::string_view suffix = "/attributes";
    if (rest.empty()) {
        return request.method == "POST" ? begin_upload(request, Upload{}, now)
                                        : CacheAnswer(wrong_method("POST"));
    }
    if (!rest.starts_with('/') || !rest.ends_with(suffix) || rest.size() <= suffix.size()) {
        return not_found();
    }
    auto const name = NiName::parse_value(rest.substr(1, rest.size() - suffix.size() - 1));
    if (!name) {
        return not_found();
    }
    return is_read(request) ? read_attributes(request, *name, now) : wrong_method("GET, HEAD");
}

CacheAnswer Cache::handle_live(CacheRequest const& request, std::string_view rest, UnixSeconds now)
{
    auto const slash = rest.find('/');
    auto const swarm_id = to_swarm_id(rest.substr(0, slash));
    if (slash == std::string_view::npos || !swarm_id) {
        return refuse(404,
                      "this is no channel: /decade/v1/live/SWARM/..., SWARM in lower-case hex");
    }
    auto const what = rest.substr(slash + 1);
    if (what == "index" && request.method == "PUT") {
        Upload upload;
        upload.kind = Upload::Kind::index;
        upload.swarm_id = *swarm_id;
        return begin_upload(request, std::move(upload), now);
    }
    if (!is_read(request)) {
        return wrong_method(what == "index" ? "GET, HEAD, PUT" : "GET, HEAD");
    }
    if (what == "index") {
        return read_index(request, *swarm_id, now);
    }
    if (what == "objects") {
        return list_channel(request, *swarm_id, now);
    }
    auto const chunks = decade::parse_alias(what);
    auto const name = chunks ? table_.find_alias(*swarm_id, *chunks) : std::nullopt;
    if (name) {
        return read(request, *name, true, now);
    }
    auto const lease = authorise_read(request, now);
    if (!lease) {
        return lease.error();
    }
    ++counters_.misses;
    return refuse(404, "no object with these chunks is here");
}

CacheAnswer Cache::read(CacheRequest const& request, NiName const& name, bool is_alias,
                        UnixSeconds now)
{
    auto lease = authorise_read(request, now);
    if (!lease) {
        return lease.error();
    }
    auto* const entry = table_.find(name, now);
    if (entry != nullptr && !entry->is_verified) {
        return NeedsCheck{entry->meta};
    }
    if (entry == nullptr) {
        ++counters_.misses;
        return refuse(404, "no such object is here");
    }
    auto const& meta = entry->meta;
    if (!covers((*lease)->account().token, {name, meta.swarm_id, meta.chunks})) {
        return refuse(403, "the token does not cover this object");
    }
    return serve(request, *entry, std::move(*lease), is_alias, now);
}

CacheReply Cache::serve(CacheRequest const& request, ObjectTable::Entry& entry, Lease lease,
                        bool is_alias, UnixSeconds now)
{
    auto const& meta = entry.meta;
    auto const tag = "\"" + meta.name.value_text() + "\"";
    CacheReply reply;
    reply.content_type = meta.media_type;
    // Under its name an object never changes; under an alias another one may come.
    std::string const scope = options_.is_public ? "public" : "private";
    reply.headers = {
        {"ETag", tag},
        {"Cache-Control", scope + (is_alias ? ", max-age=2" : ", max-age=31536000, immutable")},
        {"Accept-Ranges", "bytes"},
        {"Access-Control-Allow-Origin", "*"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy", "default-src 'none'; sandbox"}};
    if (is_alias) {
        reply.headers.push_back({"Content-Location", meta.name.path()});
    }
    if (!request.if_none_match.empty() && matches_tag(request.if_none_match, tag)) {
        reply.status = 304;
        return reply;
    }
    bool const wants_range = request.if_range.empty() || request.if_range == tag;
    auto const range = parse_range(wants_range ? request.range : std::string_view{}, meta.size);
    if (range.kind == RangeKind::unsatisfiable) {
        auto refusal = refuse(416, "the object ends before this range");
        refusal.headers.push_back({"Content-Range", "bytes */" + std::to_string(meta.size)});
        return refusal;
    }
    reply.part = range.kind == RangeKind::part ? range.range : ByteRange{0, meta.size};
    auto& account = lease->account();
    if (!account.may_transfer(reply.part.size)) {
        return refuse(429, "the token's bytes are used up");
    }
    reply.object = open(meta);
    if (!reply.object) {
        forget(meta.name);
        return refuse(404, "no such object is here");
    }
    if (range.kind == RangeKind::part) {
        reply.status = 206;
        reply.headers.push_back(
            {"Content-Range", "bytes " + std::to_string(reply.part.first) + "-" +
                                  std::to_string(reply.part.first + reply.part.size - 1) + "/" +
                                  std::to_string(meta.size)});
    }
    if (request.method == "GET") {
        account.bytes_used += reply.part.size;
        counters_.served_bytes += reply.part.size;
    }
    ++counters_.hits;
    table_.touch(entry, now);
    reply.lease = std::move(lease);
    return reply;
}

std::shared_ptr<OpenObject> Cache::open(ObjectMeta const& meta)
{
    auto const known = opened_.find(meta.name);
    if (known != opened_.end()) {
        return known->second;
    }
    auto opened = files_->open_object(meta);
    if (!opened) {
        return nullptr;
    }
    if (opened_.size() >= opened_max) {
        opened_.erase(opened_.begin());
    }
    opened_.emplace(meta.name, *opened);
    return *opened;
}

void Cache::forget(NiName const& name)
{
    opened_.erase(name);
    table_.erase(name);
}

void Cache::finish_check(NiName const& name, bool is_good)
{
    --counters_.requests; // it is asked again
    auto* const entry = table_.find(name, 0);
    if (is_good && entry != nullptr) {
        entry->is_verified = true;
    } else if (!is_good) {
        ++counters_.damaged;
        forget(name);
    }
}

Result<ObjectTable::Entry const*, CacheReply> Cache::reach(Lease const& lease, NiName const& name,
                                                           UnixSeconds now)
{
    auto const* const entry = table_.find(name, now);
    if (entry == nullptr) {
        return failure(refuse(404, "no such object is here"));
    }
    if (!covers(lease->account().token, {name, entry->meta.swarm_id, entry->meta.chunks})) {
        return failure(refuse(403, "the token does not cover this object"));
    }
    return entry;
}

CacheReply Cache::remove(CacheRequest const& request, NiName const& name, UnixSeconds now)
{
    auto const lease = authorise(request, Operation::remove, now);
    if (!lease) {
        return lease.error();
    }
    auto const reached = reach(*lease, name, now);
    if (!reached) {
        return reached.error();
    }
    forget(name);
    files_->remove(name, true);
    CacheReply reply;
    reply.status = 204;
    return reply;
}

CacheReply Cache::revoke(CacheRequest const& request, std::string_view id, UnixSeconds now)
{
    auto const lease = authorise(request, Operation::manage, now);
    if (!lease) {
        return lease.error();
    }
    if (id.empty() || id.size() > decade::token_id_size_max) {
        return not_found();
    }
    static_cast<void>(tokens_.revoke(std::string(id), now));
    // Before the answer: a revocation that a crash undoes was none.
    if (!files_->write_accounts(tokens_.to_text())) {
        return refuse(507, "the revocation holds until the server ends, but could not be written");
    }
    CacheReply reply;
    reply.status = 204;
    return reply;
}

void Cache::tick(UnixSeconds now)
{
    for (auto const& name : table_.expire(now)) {
        opened_.erase(name);
        files_->remove(name, false);
        ++counters_.expired;
    }
    tokens_.expire(now);
    auto const revision = tokens_.revision();
    if (revision != accounts_written_ && files_->write_accounts(tokens_.to_text())) {
        accounts_written_ = revision;
    }
}

} // namespace ppsp::peer
