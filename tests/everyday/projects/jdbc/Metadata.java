import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.TreeSet;

/** Asks pgjdbc all that a database browser asks of it, and prints every answer: one "== call" line, then its rows. */
public final class Metadata {
    private interface Call {
        ResultSet ask(DatabaseMetaData of) throws SQLException;
    }

    private final Connection connection;

    private Metadata(Connection connection) {
        this.connection = connection;
    }

    public static void main(String[] arguments) throws Exception {
        Properties given = new Properties();
        given.setProperty("user", System.getenv("PGUSER"));
        given.setProperty("password", System.getenv("PGPASSWORD"));
        given.setProperty("sslmode", System.getenv("PGSSLMODE"));
        given.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        for (String each : arguments) {
            String[] pair = each.split("=", 2);
            given.setProperty(pair[0], pair[1]);
        }
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, given)) {
            Metadata here = new Metadata(connection);
            here.server();
            here.schema();
            here.each();
            here.work();
        }
    }

    private void server() throws SQLException {
        DatabaseMetaData of = connection.getMetaData();
        say("server");
        System.out.println(of.getDatabaseProductName() + " " + of.getDatabaseProductVersion());
        System.out.println(of.getUserName() + " " + of.isReadOnly() + " " + of.getMaxConnections());
        System.out.println(connection.getCatalog() + " " + connection.getSchema() + " " + connection.isValid(5));
        System.out.println(connection.getTransactionIsolation());
        System.out.println(new TreeSet<>(List.of(of.getSQLKeywords().split(","))).size() > 0);
        System.out.println(of.getMaxColumnNameLength() + " " + of.getMaxIndexLength());
    }

    private void schema() throws SQLException {
        ask("getCatalogs", DatabaseMetaData::getCatalogs);
        ask("getSchemas", DatabaseMetaData::getSchemas);
        ask("getSchemas public", of -> of.getSchemas(null, "pub%"));
        ask("getTableTypes", DatabaseMetaData::getTableTypes);
        ask("getTypeInfo", DatabaseMetaData::getTypeInfo);
        ask("getClientInfoProperties", DatabaseMetaData::getClientInfoProperties);
        ask("getTables", of -> of.getTables(null, null, "%", null));
        ask("getTables public", of -> of.getTables(null, "public", "%", new String[] {"TABLE", "VIEW",
            "MATERIALIZED VIEW", "PARTITIONED TABLE", "FOREIGN TABLE"}));
        ask("getColumns public", of -> of.getColumns(null, "public", "%", "%"));
        ask("getColumns all", of -> of.getColumns(null, null, "%", "%"));
        ask("getFunctions", of -> of.getFunctions(null, "public", "%"));
        ask("getFunctionColumns", of -> of.getFunctionColumns(null, "public", "get%", "%"));
        ask("getProcedures", of -> of.getProcedures(null, "public", "%"));
        ask("getProcedureColumns", of -> of.getProcedureColumns(null, "public", "%", "%"));
        ask("getUDTs", of -> of.getUDTs(null, "public", "%", null));
        ask("getTablePrivileges", of -> of.getTablePrivileges(null, "public", "%"));
        ask("getImportedKeys all", of -> of.getImportedKeys(null, "public", null));
    }

    private void each() throws SQLException {
        List<String> tables = new ArrayList<>();
        try (ResultSet found = connection.getMetaData().getTables(null, "public", "%", new String[] {"TABLE"})) {
            while (found.next()) {
                tables.add(found.getString("TABLE_NAME"));
            }
        }
        for (String table : tables) {
            ask("getPrimaryKeys " + table, of -> of.getPrimaryKeys(null, "public", table));
            ask("getImportedKeys " + table, of -> of.getImportedKeys(null, "public", table));
            ask("getExportedKeys " + table, of -> of.getExportedKeys(null, "public", table));
            ask("getIndexInfo " + table, of -> of.getIndexInfo(null, "public", table, false, true));
            ask("getColumnPrivileges " + table, of -> of.getColumnPrivileges(null, "public", table, "%"));
            ask("getBestRowIdentifier " + table, of -> of.getBestRowIdentifier(null, "public", table, 1, true));
            ask("getVersionColumns " + table, of -> of.getVersionColumns(null, "public", table));
        }
        ask("getCrossReference", of -> of.getCrossReference(null, "public", "customers", null, "public", "orders"));
    }

    /** What a program does: prepared statements often enough that they become named, a cursor, a batch, settings. */
    private void work() throws SQLException {
        say("prepared");
        try (PreparedStatement by = connection.prepareStatement("select name, vip from customers where id = ?")) {
            for (int id = 1; id < 9; id++) {
                by.setInt(1, id);
                print(by.executeQuery());
            }
            ResultSetMetaData shape = by.getMetaData();
            System.out.println(shape.getColumnCount() + " " + shape.getTableName(1) + " " + shape.getSchemaName(1)
                + " " + shape.isNullable(1) + " " + shape.isAutoIncrement(1));
        }
        say("cursor");
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        try (Statement rows = connection.createStatement()) {
            rows.setFetchSize(7);
            print(rows.executeQuery("select id, amount, status, created from orders order by id limit 30"));
        }
        connection.rollback();
        say("batch");
        try (PreparedStatement into = connection.prepareStatement(
            "insert into scratch (k, v) values (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int n = 0; n < 20; n++) {
                into.setString(1, "jdbc" + n);
                into.setString(2, "v" + n);
                into.addBatch();
            }
            System.out.println(into.executeBatch().length);
        }
        connection.commit();
        try (Statement rows = connection.createStatement()) {
            print(rows.executeQuery("select count(*) from scratch where k like 'jdbc%'"));
            System.out.println(rows.executeUpdate("delete from scratch where k like 'jdbc%'"));
        }
        connection.commit();
        connection.setAutoCommit(true);
        say("settings");
        connection.setReadOnly(true);
        connection.setSchema("public");
        connection.setNetworkTimeout(Runnable::run, 10_000);
        connection.setReadOnly(false);
        System.out.println(connection.getSchema());
    }

    private void say(String what) {
        System.out.println("== " + what);
    }

    private void ask(String what, Call call) {
        say(what);
        try {
            print(call.ask(connection.getMetaData()));
        } catch (SQLException error) {
            System.out.println("error: " + error.getMessage());
        }
    }

    private void print(ResultSet rows) throws SQLException {
        ResultSetMetaData shape = rows.getMetaData();
        while (rows.next()) {
            StringBuilder line = new StringBuilder();
            for (int column = 1; column <= shape.getColumnCount(); column++) {
                line.append(column > 1 ? "|" : "").append(rows.getString(column));
            }
            System.out.println(line);
        }
        rows.close();
    }
}
