-- Who we are, to which server, and the search_path of a new session.
select current_setting('server_version_num'), current_user,
       (select reset_val from pg_catalog.pg_settings where name = 'search_path')
