#pragma once

#include "peer/decade/byte_range.hpp"
#include "peer/decade/fair_shares.hpp"
#include "peer/decade/object_files.hpp"
#include "peer/decade/token_book.hpp"
#include "protocol/decade/live_index.hpp"
#include "protocol/decade/unit_object.hpp"
#include "protocol/net/http.hpp"

#include <variant>

namespace ppsp::peer {

struct CacheOptions {
    std::string url; ///< of this server; what a token's audience must be
    std::uint64_t bytes_max = std::uint64_t{10} * 1024 * 1024 * 1024;
    std::uint64_t object_bytes_max = decade::object_size_max;
    /// How long an object is kept whose uploader does not say: the discard window and 30 s.
    UnixSeconds ttl_s = 90;
    UnixSeconds ttl_max_s = UnixSeconds{30} * 24 * 3600;
    /// Whoever asks may read; writing needs a token all the same.
    bool is_public = false;
    /// Bodies of all uploads that are under way, in memory.
    std::uint64_t uploads_bytes_max = std::uint64_t{256} * 1024 * 1024;
    std::uint32_t transfers_max = 8; ///< from and to other servers, at a time
};

/// A request's head as the connection read it; views are valid during the call.
struct CacheRequest {
    std::string_view method;
    std::string_view target;
    std::string_view authorization;
    std::string_view content_type;
    std::string_view range;
    std::string_view if_range;
    std::string_view if_none_match;
    std::string_view expires; ///< `Decade-Expires`, seconds
    std::optional<std::uint64_t> content_length;
};

/// Counts a request of a token as long as it lives.
class TokenLease {
public:
    explicit TokenLease(std::shared_ptr<TokenAccount> account) : account_(std::move(account))
    {
        ++account_->requests_now;
    }
    ~TokenLease() { --account_->requests_now; }
    TokenLease(TokenLease const&) = delete;
    TokenLease& operator=(TokenLease const&) = delete;

    [[nodiscard]] TokenAccount& account() const { return *account_; }

private:
    std::shared_ptr<TokenAccount> account_;
};

using Lease = std::shared_ptr<TokenLease>;

struct CacheReply {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::vector<net::HttpHeader> headers;
    std::string body;
    /// Instead of the body: this part of an object.
    std::shared_ptr<OpenObject> object;
    ByteRange part;
    Lease lease; ///< whose bytes these are; null for errors and public answers
};

/// A body that is to come.
struct Upload {
    enum class Kind : std::uint8_t { object, index, transfer_order };
    Kind kind = Kind::object;
    std::optional<NiName> name; ///< what its hash must be, if the client named it
    ByteVector swarm_id;        ///< of an index
    std::string media_type;
    UnixSeconds expires = 0;
    std::uint64_t size_max = 0;
    Lease lease;
};

/// What the bytes of an upload are; found out beside the loop, because it takes milliseconds.
struct UploadFacts {
    std::optional<NiName> name;
    ByteVector swarm_id; ///< of signed units that verified
    std::optional<ChunkRange> chunks;
    std::string units_problem; ///< why they are no verified units of a channel
    std::optional<decade::LiveIndex> index;
    std::string index_problem;
};

/// An object of another server is to be stored here, or one of ours there (RFC 7069 §6.4).
struct Transfer {
    enum class Kind : std::uint8_t { fetch, store };
    Kind kind = Kind::fetch;
    NiName name;
    net::Url remote;
    std::string remote_token;
    UnixSeconds expires = 0;
    Lease lease;
    std::shared_ptr<OpenObject> object; ///< to store there
    std::shared_ptr<void> slot;         ///< one of `transfers_max`
};

/// An object that was not hashed since the start has to be before it is served.
struct NeedsCheck {
    ObjectMeta meta;
};

using CacheAnswer = std::variant<CacheReply, Upload, NeedsCheck>;

struct CacheCounters {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0; ///< 401, 403, 429, 507
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t stored = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t served_bytes = 0;
    std::uint64_t evicted = 0;
    std::uint64_t expired = 0;
    std::uint64_t damaged = 0;
    std::uint64_t transfers = 0;
};

/// In-network storage of RFC 7069 over HTTP (`decade/v1`): decides about requests; connections and
/// threads are the shell's. Paths:
///
///     PUT GET HEAD DELETE  /.well-known/ni/sha-256/VALUE
///     POST                 /decade/v1/objects                  the server names it
///     GET                  /decade/v1/objects/VALUE/attributes
///     GET PUT              /decade/v1/live/SWARM/index
///     GET                  /decade/v1/live/SWARM/objects       what is here of a channel, unsigned
///     GET HEAD             /decade/v1/live/SWARM/FIRST-LAST
///     POST                 /decade/v1/transfers
///     GET                  /decade/v1/status
///     DELETE               /decade/v1/tokens/ID
///     GET                  /metrics /healthz
///
/// One thread; only `inspect` may run on others.
class Cache {
public:
    /// Channels whose signed index is kept.
    static constexpr std::size_t live_channels_max = 1024;
    /// Keys of elliptic curves, which all our sources have: an index file has the id as its name.
    static constexpr std::size_t live_swarm_size_max = 100;
    static constexpr std::size_t opened_max = 256;

    /// `server_id` is the public key that signs tokens, in the form of a swarm id. The checker
    /// outlives the cache. Reads what the folder holds.
    Cache(CacheOptions options, std::unique_ptr<ObjectFiles> files, ByteVector server_id,
          integrity::Checker& checker, UnixSeconds now);

    [[nodiscard]] CacheAnswer handle(CacheRequest const& request, UnixSeconds now);

    // An upload: `inspect` its body, `admit` it, write it to `files()`, `finish` it.

    /// Thread-safe; takes about a millisecond for ten units.
    [[nodiscard]] static UploadFacts inspect(Upload const& upload, Bytes body);
    /// Makes room. The object's bytes stay reserved until `finish`.
    [[nodiscard]] Result<ObjectMeta, CacheReply>
    admit(Upload const& upload, UploadFacts const& facts, std::uint64_t size, UnixSeconds now);
    [[nodiscard]] CacheReply finish(ObjectMeta const& meta, Result<void, StoreError> const& written,
                                    UnixSeconds now);
    /// An index needs no room; its text is to be written if the reply's status says so.
    [[nodiscard]] CacheReply finish_index(Upload const& upload, UploadFacts const& facts,
                                          std::string text);

    /// The body of a transfer's order. What comes of a fetch goes the way of an upload.
    [[nodiscard]] std::variant<CacheReply, Transfer>
    begin_transfer(Upload const& order, std::string_view body, UnixSeconds now);

    /// After `NeedsCheck`: whether the object's file proved good.
    void finish_check(NiName const& name, bool is_good);

    /// Memory for bodies; false if too many are under way.
    [[nodiscard]] bool hold_upload(std::uint64_t bytes);
    void release_upload(std::uint64_t bytes);

    /// What expired goes; what tokens used is written down. About once a second.
    void tick(UnixSeconds now);

    [[nodiscard]] ObjectFiles& files() { return *files_; }
    [[nodiscard]] CacheCounters& counters() { return counters_; }
    [[nodiscard]] ObjectTable const& table() const { return table_; }
    [[nodiscard]] CacheOptions const& options() const { return options_; }
    [[nodiscard]] TokenBook const& tokens() const { return tokens_; }

    /// `{"error":"..."}` and what belongs to the status.
    [[nodiscard]] static CacheReply refuse(unsigned status, std::string_view reason);

private:
    struct Index {
        std::uint64_t sequence = 0;
        std::string text;
    };

    void load(UnixSeconds now);
    void load_indexes();

    [[nodiscard]] Result<Lease, CacheReply> authorise(CacheRequest const& request,
                                                      decade::Operation operation, UnixSeconds now);
    [[nodiscard]] Result<Lease, CacheReply> authorise_read(CacheRequest const& request,
                                                           UnixSeconds now);

    [[nodiscard]] CacheAnswer handle_named(CacheRequest const& request, std::string_view path,
                                           UnixSeconds now);
    [[nodiscard]] CacheAnswer handle_live(CacheRequest const& request, std::string_view rest,
                                          UnixSeconds now);
    [[nodiscard]] CacheAnswer handle_object_calls(CacheRequest const& request,
                                                  std::string_view rest, UnixSeconds now);
    [[nodiscard]] CacheAnswer read(CacheRequest const& request, NiName const& name, bool is_alias,
                                   UnixSeconds now);
    [[nodiscard]] CacheReply serve(CacheRequest const& request, ObjectTable::Entry& entry,
                                   Lease lease, bool is_alias, UnixSeconds now);
    [[nodiscard]] CacheAnswer begin_upload(CacheRequest const& request, Upload upload,
                                           UnixSeconds now);
    /// The object, if it is here and the token covers it; 404 and 403 otherwise.
    [[nodiscard]] Result<ObjectTable::Entry const*, CacheReply>
    reach(Lease const& lease, NiName const& name, UnixSeconds now);
    [[nodiscard]] CacheReply remove(CacheRequest const& request, NiName const& name,
                                    UnixSeconds now);
    [[nodiscard]] CacheReply read_index(CacheRequest const& request, ByteVector const& swarm_id,
                                        UnixSeconds now);
    [[nodiscard]] CacheReply list_channel(CacheRequest const& request, ByteVector const& swarm_id,
                                          UnixSeconds now);
    [[nodiscard]] CacheReply read_attributes(CacheRequest const& request, NiName const& name,
                                             UnixSeconds now);
    [[nodiscard]] CacheReply read_status(CacheRequest const& request, UnixSeconds now);
    [[nodiscard]] CacheReply revoke(CacheRequest const& request, std::string_view id,
                                    UnixSeconds now);
    [[nodiscard]] std::optional<CacheReply> scope_problem(Upload const& upload,
                                                          UploadFacts const& facts) const;
    [[nodiscard]] UnixSeconds expiry_of(CacheRequest const& request, UnixSeconds now) const;

    [[nodiscard]] std::shared_ptr<OpenObject> open(ObjectMeta const& meta);
    void forget(NiName const& name);

    CacheOptions options_;
    std::unique_ptr<ObjectFiles> files_;
    ObjectTable table_;
    TokenBook tokens_;
    integrity::Checker& checker_;
    std::map<ByteVector, Index> indexes_;
    std::unordered_map<NiName, std::shared_ptr<OpenObject>, decade::NiNameHash> opened_;
    CacheCounters counters_;
    std::uint64_t uploads_bytes_ = 0;
    std::uint32_t transfers_now_ = 0;
    std::uint64_t accounts_written_ = 0;
    std::shared_ptr<TokenAccount> public_account_;
    std::shared_ptr<TokenAccount> admitted_; ///< by the request that is being handled
    UnixSeconds started_at_ = 0;
};

/// Weight of a scheduling class among the others.
[[nodiscard]] std::uint32_t weight_of(decade::Priority priority);

/// Numbers of a cache for `/metrics` and `--stats-json`, by name.
[[nodiscard]] std::vector<std::pair<std::string_view, std::uint64_t>> figures_of(Cache& cache);

} // namespace ppsp::peer
