#include "peer/decade/cache.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

#include <fstream>

namespace ppsp::peer {
namespace {

using decade::Operation;
using decade::test::Channel;

/// A cache in a folder of its own, without connections: an upload is carried out at once.
class CacheTest : public testing::Test {
protected:
    void SetUp() override
    {
        folder = std::filesystem::path(testing::TempDir()) /
                 ("ppsp-cache-" + std::to_string(::getpid()) + "-" +
                  testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::remove_all(folder);
        open({});
    }
    void TearDown() override
    {
        cache.reset();
        std::filesystem::remove_all(folder);
    }

    void open(CacheOptions options)
    {
        cache.reset(); // gives the folder back
        options.url = "http://here:1";
        auto files = ObjectFiles::open(folder);
        ASSERT_TRUE(files.has_value()) << files.error();
        cache.emplace(options, std::move(*files), server.id, checker, now);
    }

    template <typename Change>
    [[nodiscard]] std::string token(Change change)
    {
        decade::Token token;
        token.id = "t" + std::to_string(++tokens);
        for (auto const one : {Operation::read, Operation::write, Operation::remove}) {
            token.operations.add(one);
        }
        token.expires = now + 3600;
        change(token);
        return "Bearer " + to_text(token, *server.signer);
    }
    [[nodiscard]] std::string token()
    {
        return token([](decade::Token&) {});
    }

    CacheReply ask(std::string_view method, std::string const& target, std::string const& rights,
                   std::string_view body = {}, std::string_view expires = {})
    {
        CacheRequest request;
        request.method = method;
        request.target = target;
        request.authorization = rights;
        request.expires = expires;
        request.content_length = body.size();
        auto answer = cache->handle(request, now);
        if (auto const* check = std::get_if<NeedsCheck>(&answer)) {
            ++checks;
            cache->finish_check(check->meta.name, cache->files().verify(check->meta).has_value());
            answer = cache->handle(request, now);
        }
        if (auto* upload = std::get_if<Upload>(&answer)) {
            return store(std::move(*upload), body);
        }
        return std::get<CacheReply>(std::move(answer));
    }

    CacheReply store(Upload upload, std::string_view body)
    {
        auto const facts = Cache::inspect(upload, as_bytes(body));
        if (upload.kind == Upload::Kind::index) {
            return cache->finish_index(upload, facts, std::string(body));
        }
        auto const meta = cache->admit(upload, facts, body.size(), now);
        if (!meta) {
            return meta.error();
        }
        return cache->finish(*meta, cache->files().write(*meta, as_bytes(body)), now);
    }

    CacheReply put(std::string_view body, std::string const& rights, std::string_view expires = {})
    {
        return ask("PUT", path_of(body), rights, body, expires);
    }
    [[nodiscard]] std::string path_of(std::string_view body)
    {
        return NiName::of(*server.hasher, as_bytes(body)).path();
    }
    [[nodiscard]] std::string index_text(std::uint64_t sequence)
    {
        decade::LiveIndex index;
        index.swarm_id = channel.id;
        index.sequence = sequence;
        return to_text(index, *channel.signer);
    }
    static std::string text_of(ByteVector const& bytes) { return {bytes.begin(), bytes.end()}; }

    std::filesystem::path folder;
    Channel server;
    Channel channel;
    integrity::OpensslChecker checker;
    std::optional<Cache> cache;
    UnixSeconds now = 1'790'000'000;
    int tokens = 0;
    int checks = 0;
};

TEST_F(CacheTest, an_object_is_served_from_its_file)
{
    auto const rights = token();
    EXPECT_EQ(put("hello", rights).status, 201u);
    auto const reply = ask("GET", path_of("hello"), rights);
    ASSERT_TRUE(reply.object);
    EXPECT_EQ(text_of(*reply.object->read_all()), "hello");
    EXPECT_EQ(reply.part, (ByteRange{0, 5}));
    // It can be read to its end though it is deleted meanwhile.
    EXPECT_EQ(ask("DELETE", path_of("hello"), rights).status, 204u);
    EXPECT_EQ(text_of(*reply.object->read_all()), "hello");
    EXPECT_EQ(ask("GET", path_of("hello"), rights).status, 404u);
}

TEST_F(CacheTest, after_a_restart_an_object_is_hashed_once_before_it_is_served)
{
    auto const rights = token();
    ASSERT_EQ(put("hello", rights).status, 201u);
    ASSERT_EQ(ask("GET", path_of("hello"), rights).status, 200u);
    EXPECT_EQ(checks, 0);
    open({});
    auto const once = token([](decade::Token& one) { one.is_single_use = true; });
    EXPECT_EQ(ask("GET", path_of("hello"), once).status, 200u); // the check is no use of it
    EXPECT_EQ(ask("GET", path_of("hello"), rights).status, 200u);
    EXPECT_EQ(checks, 1);
    EXPECT_EQ(ask("GET", path_of("hello"), once).status, 401u);
}

TEST_F(CacheTest, what_is_not_whole_is_cleaned_up_at_the_start)
{
    auto const rights = token();
    ASSERT_EQ(put("whole", rights).status, 201u);
    ASSERT_EQ(put("cut", rights).status, 201u);
    ASSERT_EQ(put("short", rights, "10").status, 201u);
    cache.reset();
    auto const file_of = [this](std::string_view body) {
        auto const value = NiName::of(*server.hasher, as_bytes(body)).value_text();
        return folder / "objects" / value.substr(0, 2) / value;
    };
    std::filesystem::resize_file(file_of("cut"), std::filesystem::file_size(file_of("cut")) - 1);
    std::filesystem::copy(file_of("whole"), folder / "objects" / "other name");
    std::filesystem::create_directories(file_of("x").parent_path());
    std::filesystem::copy(file_of("whole"), file_of("x"));
    std::ofstream(folder / "aside" / "abcdef") << "half";
    now += 11;
    open({});
    EXPECT_EQ(cache->table().count(), 1u);
    EXPECT_EQ(ask("GET", path_of("whole"), rights).status, 200u);
    for (auto const* gone : {"cut", "short", "x"}) {
        EXPECT_FALSE(std::filesystem::exists(file_of(gone))) << gone;
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder / "aside"));
}

TEST_F(CacheTest, metadata_outlive_the_process)
{
    auto const object = text_of(channel.object(10, 2));
    auto const rights = token([this](decade::Token& one) {
        one.scopes = {decade::SwarmScope{channel.id, std::nullopt}};
    });
    ASSERT_EQ(put(object, rights, "500").status, 201u);
    auto const before = cache->table().listed("", 1).front()->meta;
    open({});
    EXPECT_EQ(cache->table().listed("", 1).front()->meta, before);
    EXPECT_EQ(before.expires, now + 500);
    EXPECT_EQ(before.chunks, (ChunkRange{ChunkId{160}, ChunkId{191}}));
    EXPECT_EQ(before.owner, "t1");
    EXPECT_EQ(ask("GET", decade::alias_path(channel.id, *before.chunks), rights).status, 200u);
}

TEST_F(CacheTest, a_token_for_something_else_neither_deletes_nor_learns_anything)
{
    auto const object = text_of(channel.object(10, 2));
    ASSERT_EQ(put(object, token()).status, 201u);
    auto const scoped = [this](decade::Scope const& scope) {
        return token([&scope](decade::Token& one) { one.scopes = {scope}; });
    };
    auto const name_of = [this](std::string_view body) {
        return NiName::of(*server.hasher, as_bytes(body));
    };
    auto const attributes = "/decade/v1/objects/" + name_of(object).value_text() + "/attributes";
    Channel const other;
    for (auto const& scope :
         {decade::Scope{decade::SwarmScope{other.id, std::nullopt}},
          decade::Scope{decade::SwarmScope{channel.id, ChunkRange{ChunkId{0}, ChunkId{175}}}},
          decade::Scope{name_of("another object")}}) {
        EXPECT_EQ(ask("DELETE", path_of(object), scoped(scope)).status, 403u);
        EXPECT_EQ(ask("GET", attributes, scoped(scope)).status, 403u);
        EXPECT_EQ(ask("HEAD", attributes, scoped(scope)).status, 403u);
    }
    EXPECT_EQ(cache->table().count(), 1u);
    for (auto const& scope : {decade::Scope{decade::SwarmScope{channel.id, std::nullopt}},
                              decade::Scope{name_of(object)}}) {
        EXPECT_EQ(ask("GET", attributes, scoped(scope)).status, 200u);
    }
    EXPECT_EQ(ask("DELETE", path_of(object), scoped(name_of(object))).status, 204u);
}

TEST_F(CacheTest, a_live_index_is_kept_if_the_channel_signed_it_and_it_is_no_older)
{
    auto const rights = token();
    auto const path = decade::index_path(channel.id);
    EXPECT_EQ(ask("GET", path, rights).status, 404u);
    EXPECT_EQ(ask("PUT", path, rights, index_text(5)).status, 201u);
    EXPECT_EQ(ask("PUT", path, rights, index_text(7)).status, 204u);
    auto const stale = ask("PUT", path, rights, index_text(6));
    EXPECT_EQ(stale.status, 409u);
    EXPECT_NE(stale.body.find("newer live index is here: 7"), std::string::npos);
    Channel other;
    EXPECT_EQ(ask("PUT", decade::index_path(other.id), rights, index_text(8)).status, 403u);
    EXPECT_EQ(ask("PUT", path, rights, "nonsense").status, 403u);
    open({});
    auto const reply = ask("GET", path, rights);
    EXPECT_EQ(reply.status, 200u);
    auto const index = decade::parse_index(reply.body, channel.id, checker);
    ASSERT_TRUE(index.has_value());
    EXPECT_EQ(index->sequence, 7u);
    EXPECT_EQ(ask("PUT", path, rights, index_text(6)).status, 409u);
}

TEST_F(CacheTest, a_damaged_index_is_dropped_at_the_start)
{
    auto const rights = token();
    auto const path = decade::index_path(channel.id);
    ASSERT_EQ(ask("PUT", path, rights, index_text(5)).status, 201u);
    std::ofstream(folder / "live" / to_hex(channel.id)) << "nonsense";
    open({});
    EXPECT_EQ(ask("GET", path, rights).status, 404u);
    EXPECT_FALSE(std::filesystem::exists(folder / "live" / to_hex(channel.id)));
}

TEST_F(CacheTest, public_caches_let_read_and_nothing_else)
{
    ASSERT_EQ(put("x", token()).status, 201u);
    CacheOptions options;
    options.is_public = true;
    open(options);
    auto const reply = ask("GET", path_of("x"), "");
    EXPECT_EQ(reply.status, 200u);
    EXPECT_EQ(reply.headers.at(1).value, "public, max-age=31536000, immutable");
    EXPECT_EQ(put("y", "").status, 401u);
    EXPECT_EQ(ask("DELETE", path_of("x"), "").status, 401u);
    EXPECT_EQ(ask("GET", path_of("x"), "Bearer x").status, 401u); // a wrong token is no better
}

TEST_F(CacheTest, rooms_that_are_full_say_so)
{
    CacheOptions options;
    options.bytes_max = 100;
    options.uploads_bytes_max = 100;
    options.transfers_max = 1;
    open(options);
    EXPECT_EQ(put(std::string(101, 'x'), token()).status, 507u);
    EXPECT_TRUE(cache->hold_upload(60));
    EXPECT_FALSE(cache->hold_upload(41));
    EXPECT_TRUE(cache->hold_upload(40));
    cache->release_upload(60);
    EXPECT_TRUE(cache->hold_upload(60));

    Upload order;
    auto const mover = token([](decade::Token& one) { one.operations.add(Operation::transfer); });
    CacheRequest request;
    request.method = "POST";
    request.target = "/decade/v1/transfers";
    request.authorization = mover;
    auto answer = cache->handle(request, now);
    ASSERT_TRUE(std::holds_alternative<Upload>(answer));
    auto const body = R"({"op":"fetch","object":"ni:///sha-256;)" +
                      NiName::of(*server.hasher, as_bytes("x")).value_text() +
                      R"(","remote":"http://there:1"})";
    {
        auto const first = cache->begin_transfer(std::get<Upload>(answer), body, now);
        ASSERT_TRUE(std::holds_alternative<Transfer>(first));
        auto const second = cache->begin_transfer(std::get<Upload>(answer), body, now);
        ASSERT_TRUE(std::holds_alternative<CacheReply>(second));
        EXPECT_EQ(std::get<CacheReply>(second).status, 429u);
    }
    auto const third = cache->begin_transfer(std::get<Upload>(answer), body, now);
    EXPECT_TRUE(std::holds_alternative<Transfer>(third));
}

TEST_F(CacheTest, a_failed_write_gives_its_room_back)
{
    CacheOptions options;
    options.bytes_max = 10;
    open(options);
    Upload upload;
    upload.lease = std::make_shared<TokenLease>(std::make_shared<TokenAccount>());
    upload.expires = now + 10;
    auto const facts = Cache::inspect(upload, as_bytes("0123456789"));
    for (auto const error : {StoreError::disk_full, StoreError::failed}) {
        auto const meta = cache->admit(upload, facts, 10, now);
        ASSERT_TRUE(meta.has_value());
        EXPECT_FALSE(cache->admit(upload, facts, 1, now).has_value());
        auto const reply = cache->finish(*meta, failure(error), now);
        EXPECT_EQ(reply.status, error == StoreError::disk_full ? 507u : 500u);
        EXPECT_EQ(cache->table().count(), 0u);
    }
    EXPECT_TRUE(cache->admit(upload, facts, 10, now).has_value());
}

TEST_F(CacheTest, lifetimes_are_bounded)
{
    CacheOptions options;
    options.ttl_s = 7;
    options.ttl_max_s = 100;
    open(options);
    auto const rights = token();
    auto const expiry = [&](std::string_view expires) {
        static_cast<void>(put("x", rights, expires));
        return cache->table().listed("", 1).front()->meta.expires - now;
    };
    EXPECT_EQ(expiry(""), 7);
    EXPECT_EQ(expiry("50"), 50);
    EXPECT_EQ(expiry("5000"), 100);
    for (auto const* odd : {"-1", "0", "x", "5 ", "99999999999999999999"}) {
        EXPECT_EQ(expiry(odd), 7) << odd;
    }
}

} // namespace
} // namespace ppsp::peer
